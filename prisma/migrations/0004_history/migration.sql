-- The history of checkpoints: each has its place in its epoch, witnesses cosign it, and devices report what does not go on from what they had.

-- AlterTable: those that are there are counted as they came
ALTER TABLE "checkpoint" ADD COLUMN     "number" INTEGER;
UPDATE "checkpoint" SET "number" = k.number FROM (SELECT id, row_number() OVER (PARTITION BY epoch ORDER BY id) - 1 AS number FROM "checkpoint") k WHERE k.id = "checkpoint".id;
ALTER TABLE "checkpoint" ALTER COLUMN "number" SET NOT NULL;

-- CreateTable
CREATE TABLE "cosignature" (
    "checkpoint_id" INTEGER NOT NULL,
    "kid" TEXT NOT NULL,
    "jws" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "cosignature_pkey" PRIMARY KEY ("checkpoint_id","kid")
);

-- CreateTable
CREATE TABLE "history_finding" (
    "id" SERIAL NOT NULL,
    "device_id" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "earlier" TEXT NOT NULL,
    "later" TEXT NOT NULL,
    "evidence" JSONB NOT NULL,
    "proved" BOOLEAN NOT NULL,
    "found_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "history_finding_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "history_finding_device_id_code_earlier_later_key" ON "history_finding"("device_id", "code", "earlier", "later");

-- CreateIndex
CREATE UNIQUE INDEX "checkpoint_epoch_number_key" ON "checkpoint"("epoch", "number");

-- AddForeignKey
ALTER TABLE "cosignature" ADD CONSTRAINT "cosignature_checkpoint_id_fkey" FOREIGN KEY ("checkpoint_id") REFERENCES "checkpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Written by hand from here on: what the schema language cannot say.

-- What was found is never changed, by whomever.
CREATE TRIGGER history_finding_immutable BEFORE UPDATE OR DELETE ON "history_finding" FOR EACH ROW EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER history_finding_kept BEFORE TRUNCATE ON "history_finding" FOR EACH STATEMENT EXECUTE FUNCTION cordon_refuse_change();
