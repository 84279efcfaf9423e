-- Question: how many connections are taken and allowed, how far a replica is behind, how many wait for locks. Parameters: none.
-- Columns: taken, allowed, lag (seconds; NULL on a primary, 0 when everything received is replayed), waiting.
-- Minimum version: PostgreSQL 10. Source: documentation of pg_stat_activity and of the recovery information functions.
SELECT count(*) FILTER (WHERE backend_type = 'client backend'),
       current_setting('max_connections')::int,
       CASE WHEN NOT pg_is_in_recovery() THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 END,
       count(*) FILTER (WHERE wait_event_type = 'Lock')
FROM pg_stat_activity
