-- Since when a cohort and a device are as they are; a device's name can be changed; the audit log is asked by actor, action and subject.

-- AlterTable
ALTER TABLE "cohort" ADD COLUMN     "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- AlterTable
ALTER TABLE "device" ADD COLUMN     "placed_at" TIMESTAMPTZ(3),
ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- CreateIndex
CREATE INDEX "audit_entry_actor_seq_idx" ON "audit_entry"("actor", "seq");

-- CreateIndex
CREATE INDEX "audit_entry_action_seq_idx" ON "audit_entry"("action", "seq");

-- CreateIndex
CREATE INDEX "audit_entry_subject_seq_idx" ON "audit_entry"("subject", "seq");

-- Written by hand from here on: what the schema language cannot say.

-- Until now the oldest checkpoint of a serial told it.
UPDATE "cohort" SET "changed_at" = k.since FROM (SELECT serial, min(created_at) AS since FROM "checkpoint" GROUP BY serial) k WHERE k.serial = "cohort".serial;
