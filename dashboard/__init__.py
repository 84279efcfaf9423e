"""The Streamlit dashboard: pages ask `dashboard.data`, draw with charts, tables and components, and decide nothing."""
