-- CreateTable
CREATE TABLE "organisation" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "org_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "root_chain" JSONB NOT NULL,
    "floor" TEXT NOT NULL,
    "serial" INTEGER NOT NULL DEFAULT 0,
    "next_member" INTEGER NOT NULL DEFAULT 0,
    "next_cohort" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "organisation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_token" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "secret_hash" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "enrollment_token" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "public_key" TEXT NOT NULL,
    "group_id" TEXT,
    "max_uses" INTEGER NOT NULL DEFAULT 1,
    "uses" INTEGER NOT NULL DEFAULT 0,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "enrollment_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "device" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "thumbprint" TEXT NOT NULL,
    "jwk" JSONB NOT NULL,
    "member_index" INTEGER NOT NULL,
    "cohort_id" TEXT,
    "enrollment_token_id" TEXT NOT NULL,
    "facts" JSONB NOT NULL,
    "enrolled_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "revoked_at" TIMESTAMPTZ(3),
    "last_seen_at" TIMESTAMPTZ(3),

    CONSTRAINT "device_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "device_status" (
    "device_id" TEXT NOT NULL,
    "digest" TEXT,
    "serial" INTEGER,
    "epoch" INTEGER,
    "phase" TEXT,
    "code" TEXT,
    "self_test" JSONB,
    "acked_at" TIMESTAMPTZ(3),
    "state" TEXT NOT NULL DEFAULT 'Unknown',
    "reasons" JSONB NOT NULL DEFAULT '[]',
    "evaluated_at" TIMESTAMPTZ(3),

    CONSTRAINT "device_status_pkey" PRIMARY KEY ("device_id")
);

-- CreateTable
CREATE TABLE "device_group" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL DEFAULT 'static',
    "description" TEXT NOT NULL DEFAULT '',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "device_group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "group_member" (
    "group_id" TEXT NOT NULL,
    "device_id" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "group_member_pkey" PRIMARY KEY ("group_id","device_id")
);

-- CreateTable
CREATE TABLE "policy" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "archived_at" TIMESTAMPTZ(3),

    CONSTRAINT "policy_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "policy_revision" (
    "policy_id" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "document" JSONB NOT NULL,
    "digest" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "policy_revision_pkey" PRIMARY KEY ("policy_id","revision")
);

-- CreateTable
CREATE TABLE "assignment" (
    "id" TEXT NOT NULL,
    "policy_id" TEXT NOT NULL,
    "group_id" TEXT NOT NULL,
    "mode" TEXT NOT NULL DEFAULT 'include',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "assignment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "change_set" (
    "id" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "serial" INTEGER,
    "content" JSONB NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "published_at" TIMESTAMPTZ(3),

    CONSTRAINT "change_set_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "cohort" (
    "id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "leaf_index" INTEGER NOT NULL,
    "serial" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "cohort_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "bundle" (
    "digest" TEXT NOT NULL,
    "bytes" BYTEA NOT NULL,
    "manifest" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "bundle_pkey" PRIMARY KEY ("digest")
);

-- CreateTable
CREATE TABLE "checkpoint" (
    "id" SERIAL NOT NULL,
    "epoch" INTEGER NOT NULL,
    "serial" INTEGER NOT NULL,
    "jws" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "checkpoint_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_entry" (
    "seq" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "actor" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "detail" JSONB NOT NULL,
    "prev_hash" TEXT NOT NULL,
    "hash" TEXT NOT NULL,

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "telemetry_batch" (
    "device_id" TEXT NOT NULL,
    "boot" TEXT NOT NULL,
    "seq_from" INTEGER NOT NULL,
    "seq_to" INTEGER NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "prev_hash" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "body" BYTEA NOT NULL,

    CONSTRAINT "telemetry_batch_pkey" PRIMARY KEY ("device_id","boot","seq_from","received_at")
) PARTITION BY RANGE ("received_at");

-- CreateTable
CREATE TABLE "telemetry_event" (
    "device_id" TEXT NOT NULL,
    "boot" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "run" TEXT,
    "agent" TEXT,
    "os_user" TEXT,
    "verdict" TEXT,
    "rule" TEXT,
    "target" TEXT,
    "detail" JSONB,

    CONSTRAINT "telemetry_event_pkey" PRIMARY KEY ("device_id","boot","seq","received_at")
) PARTITION BY RANGE ("received_at");

-- CreateTable
CREATE TABLE "telemetry_cursor" (
    "device_id" TEXT NOT NULL,
    "boot" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "hash" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "telemetry_cursor_pkey" PRIMARY KEY ("device_id","boot")
);

-- CreateIndex
CREATE UNIQUE INDEX "organisation_org_id_key" ON "organisation"("org_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_token_secret_hash_key" ON "api_token"("secret_hash");

-- CreateIndex
CREATE UNIQUE INDEX "device_thumbprint_key" ON "device"("thumbprint");

-- CreateIndex
CREATE UNIQUE INDEX "device_member_index_key" ON "device"("member_index");

-- CreateIndex
CREATE INDEX "device_cohort_id_idx" ON "device"("cohort_id");

-- CreateIndex
CREATE INDEX "device_enrolled_at_id_idx" ON "device"("enrolled_at", "id");

-- CreateIndex
CREATE INDEX "device_status_state_idx" ON "device_status"("state");

-- CreateIndex
CREATE UNIQUE INDEX "device_group_name_key" ON "device_group"("name");

-- CreateIndex
CREATE INDEX "group_member_device_id_idx" ON "group_member"("device_id");

-- CreateIndex
CREATE UNIQUE INDEX "policy_name_key" ON "policy"("name");

-- CreateIndex
CREATE UNIQUE INDEX "assignment_policy_id_group_id_key" ON "assignment"("policy_id", "group_id");

-- CreateIndex
CREATE UNIQUE INDEX "change_set_serial_key" ON "change_set"("serial");

-- CreateIndex
CREATE UNIQUE INDEX "cohort_key_key" ON "cohort"("key");

-- CreateIndex
CREATE UNIQUE INDEX "cohort_leaf_index_key" ON "cohort"("leaf_index");

-- CreateIndex
CREATE UNIQUE INDEX "checkpoint_digest_key" ON "checkpoint"("digest");

-- CreateIndex
CREATE UNIQUE INDEX "audit_entry_hash_key" ON "audit_entry"("hash");

-- CreateIndex
CREATE INDEX "audit_entry_at_idx" ON "audit_entry"("at");

-- CreateIndex
CREATE INDEX "telemetry_event_received_at_idx" ON "telemetry_event"("received_at");

-- AddForeignKey
ALTER TABLE "enrollment_token" ADD CONSTRAINT "enrollment_token_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "device_group"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "device" ADD CONSTRAINT "device_cohort_id_fkey" FOREIGN KEY ("cohort_id") REFERENCES "cohort"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "device" ADD CONSTRAINT "device_enrollment_token_id_fkey" FOREIGN KEY ("enrollment_token_id") REFERENCES "enrollment_token"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "device_status" ADD CONSTRAINT "device_status_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "device_group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "policy_revision" ADD CONSTRAINT "policy_revision_policy_id_fkey" FOREIGN KEY ("policy_id") REFERENCES "policy"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "assignment" ADD CONSTRAINT "assignment_policy_id_fkey" FOREIGN KEY ("policy_id") REFERENCES "policy"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "assignment" ADD CONSTRAINT "assignment_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "device_group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Written by hand from here on: what the schema language cannot say.

-- One installation serves one organisation.
ALTER TABLE "organisation" ADD CONSTRAINT "organisation_single" CHECK ("id" = 1);

-- Audit entries and policy revisions are never changed, by whomever.
CREATE FUNCTION cordon_refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'cordon: rows of % are immutable', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER audit_entry_immutable BEFORE UPDATE OR DELETE ON "audit_entry" FOR EACH ROW EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER audit_entry_kept BEFORE TRUNCATE ON "audit_entry" FOR EACH STATEMENT EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER policy_revision_immutable BEFORE UPDATE OR DELETE ON "policy_revision" FOR EACH ROW EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER policy_revision_kept BEFORE TRUNCATE ON "policy_revision" FOR EACH STATEMENT EXECUTE FUNCTION cordon_refuse_change();

-- Partitions a day (UTC) of the telemetry tables, from yesterday to some days ahead. Runs with its owner's rights, so the application needs none.
CREATE FUNCTION cordon_ensure_partitions(ahead integer DEFAULT 7) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  parent text;
  day date;
  part text;
BEGIN
  PERFORM pg_advisory_xact_lock(1129272402, 1);
  FOREACH parent IN ARRAY ARRAY['telemetry_batch', 'telemetry_event'] LOOP
    FOR offset_days IN -1..least(greatest(ahead, 0), 60) LOOP
      day := (now() AT TIME ZONE 'UTC')::date + offset_days;
      part := parent || '_' || to_char(day, 'YYYYMMDD');
      IF to_regclass('public.' || part) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
          part, parent, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
      END IF;
    END LOOP;
  END LOOP;
END
$$;

-- Drops whole days that are older than `keep` days. At least seven days stay, whatever is asked for. Returns how many partitions went.
CREATE FUNCTION cordon_drop_partitions(keep integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  part regclass;
  gone integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(1129272402, 1);
  FOR part IN
    SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('public.telemetry_batch'::regclass, 'public.telemetry_event'::regclass)
      AND to_date(right(c.relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - greatest(keep, 7)
  LOOP
    EXECUTE format('DROP TABLE %s', part);
    gone := gone + 1;
  END LOOP;
  RETURN gone;
END
$$;

REVOKE ALL ON FUNCTION cordon_ensure_partitions(integer), cordon_drop_partitions(integer) FROM PUBLIC;
