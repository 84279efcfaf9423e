-- Question: the fourth layout: alert rules, incidents and how they changed, silences, the outbox and its deliveries.
-- body is the whole value as JSON text; the columns beside it are what questions ask. No keys: one thread writes, by id.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE TABLE alert_rules (id VARCHAR NOT NULL, name VARCHAR NOT NULL, body VARCHAR NOT NULL);
CREATE TABLE alert_rule_changes (ts TIMESTAMP NOT NULL, id VARCHAR NOT NULL, body VARCHAR, author VARCHAR NOT NULL);
CREATE TABLE incidents (
    id VARCHAR NOT NULL, rule_id VARCHAR NOT NULL, labels MAP(VARCHAR, VARCHAR) NOT NULL, state VARCHAR NOT NULL,
    severity VARCHAR NOT NULL, since TIMESTAMP NOT NULL, fired_at TIMESTAMP, resolved_at TIMESTAMP, value DOUBLE,
    summary VARCHAR NOT NULL, acknowledged_by VARCHAR NOT NULL, body VARCHAR NOT NULL
);
CREATE TABLE transitions (
    ts TIMESTAMP NOT NULL, incident_id VARCHAR NOT NULL, before VARCHAR NOT NULL, after VARCHAR NOT NULL, value DOUBLE,
    reason VARCHAR NOT NULL
);
CREATE TABLE silences (id VARCHAR NOT NULL, body VARCHAR NOT NULL);
CREATE TABLE outbox (
    number BIGINT NOT NULL, id VARCHAR NOT NULL, incident_id VARCHAR NOT NULL, channel VARCHAR NOT NULL,
    attempts INTEGER NOT NULL, next_at TIMESTAMP, body VARCHAR NOT NULL
);
CREATE TABLE deliveries (
    ts TIMESTAMP NOT NULL, notification_id VARCHAR NOT NULL, channel VARCHAR NOT NULL, attempt INTEGER NOT NULL,
    outcome VARCHAR NOT NULL, detail VARCHAR NOT NULL, seconds DOUBLE NOT NULL
);
COMMENT ON TABLE alert_rules IS 'Alert rules in force';
COMMENT ON TABLE alert_rule_changes IS 'Audit of the alert rules; no body: dropped';
COMMENT ON TABLE incidents IS 'Incidents of alert rules, open and over';
COMMENT ON TABLE transitions IS 'How incidents changed';
COMMENT ON TABLE silences IS 'When nobody is told of what';
COMMENT ON TABLE outbox IS 'Notifications; without next_at they are done';
COMMENT ON TABLE deliveries IS 'Attempts to deliver notifications';
CREATE VIEW perf.alerts AS
SELECT fired_at AS ts, resolved_at, coalesce(rules.name, rule_id) AS rule, labels, state, severity, value, summary, acknowledged_by
FROM main.incidents AS incidents LEFT JOIN main.alert_rules AS rules ON rules.id = rule_id
WHERE fired_at IS NOT NULL;
COMMENT ON VIEW perf.alerts IS 'Alerts that fired';
COMMENT ON COLUMN perf.alerts.ts IS 'When it fired, UTC';
COMMENT ON COLUMN perf.alerts.resolved_at IS 'When it was over, UTC, or nothing';
COMMENT ON COLUMN perf.alerts.rule IS 'Name of the rule; its id when it was dropped';
COMMENT ON COLUMN perf.alerts.labels IS 'What sets the series that it is about apart';
COMMENT ON COLUMN perf.alerts.state IS 'firing, resolved, no_data or error';
COMMENT ON COLUMN perf.alerts.severity IS 'low, medium, high or critical';
COMMENT ON COLUMN perf.alerts.value IS 'The newest number, in the unit of the metric';
COMMENT ON COLUMN perf.alerts.summary IS 'What is wrong, or nothing';
COMMENT ON COLUMN perf.alerts.acknowledged_by IS 'Who looks after it, or nothing';
