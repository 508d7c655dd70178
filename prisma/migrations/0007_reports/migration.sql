-- Signed heads of devices' chains of reports, what was found in the chains, and a bound on what is kept to recognise repetitions by.

-- CreateTable
CREATE TABLE "device_head" (
    "device_id" TEXT NOT NULL,
    "boot" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "jws" TEXT NOT NULL,
    "key" TEXT,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "reason" TEXT,
    "verified_at" TIMESTAMPTZ(3),

    CONSTRAINT "device_head_pkey" PRIMARY KEY ("device_id","boot","seq","digest")
);

-- CreateTable
CREATE TABLE "report_finding" (
    "device_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "boot" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "hash" TEXT NOT NULL,
    "detail" JSONB NOT NULL,
    "found_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "report_finding_pkey" PRIMARY KEY ("device_id","kind","boot","seq","hash")
);

-- CreateIndex
CREATE INDEX "device_head_state_received_at_idx" ON "device_head"("state", "received_at");

-- CreateIndex
CREATE INDEX "report_finding_found_at_idx" ON "report_finding"("found_at");

-- What is kept about chains of reports, bounded. Runs after cordon_drop_partitions with the same number of days: a cursor goes only when all that it counted is gone, and
-- a device's newest stays, since only the newest chain can be one of which a part is still to come. So nothing that is stored can be stored again.
-- Of verified heads the last of a day and boot stays, which covers those before it. Returns how many cursors went.
CREATE FUNCTION cordon_prune_reports(keep integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  cutoff timestamptz := ((now() AT TIME ZONE 'UTC')::date - greatest(keep, 7))::timestamp AT TIME ZONE 'UTC';
  gone integer;
BEGIN
  PERFORM pg_advisory_xact_lock(1129272402, 1);
  DELETE FROM telemetry_cursor c
    WHERE c.at < cutoff AND EXISTS (SELECT 1 FROM telemetry_cursor n WHERE n.device_id = c.device_id AND (n.at, n.boot) > (c.at, c.boot));
  GET DIAGNOSTICS gone = ROW_COUNT;
  DELETE FROM device_head h
    WHERE h.state <> 'pending'
      AND ((h.received_at < cutoff AND NOT EXISTS (SELECT 1 FROM telemetry_cursor c WHERE c.device_id = h.device_id AND c.boot = h.boot))
        OR EXISTS (SELECT 1 FROM device_head n WHERE n.device_id = h.device_id AND n.boot = h.boot AND n.state = 'verified'
          AND (n.seq, n.digest) > (h.seq, h.digest)
          AND (h.received_at < cutoff OR (h.state = 'verified' AND (n.received_at AT TIME ZONE 'UTC')::date = (h.received_at AT TIME ZONE 'UTC')::date))));
  DELETE FROM report_finding f WHERE f.found_at < cutoff;
  RETURN gone;
END
$$;

REVOKE ALL ON FUNCTION cordon_prune_reports(integer) FROM PUBLIC;
