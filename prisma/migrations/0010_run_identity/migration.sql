-- Whether a run lives is read from its own two events in the device's chain of reports, for each token that it asks for. Only these two kinds are in the index, so
-- everything else is stored as before.
CREATE INDEX "telemetry_event_run_idx" ON "telemetry_event"("device_id", "run") WHERE "kind" IN ('run.started', 'run.ended');
