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
    "device_id" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "earlier" TEXT NOT NULL,
    "later" TEXT NOT NULL,
    "evidence" JSONB NOT NULL,
    "proved" BOOLEAN NOT NULL,
    "found_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "history_finding_pkey" PRIMARY KEY ("device_id","code","earlier","later")
);

-- CreateIndex
CREATE INDEX "history_finding_found_at_idx" ON "history_finding"("found_at");

-- CreateIndex
CREATE UNIQUE INDEX "checkpoint_epoch_number_key" ON "checkpoint"("epoch", "number");

-- AddForeignKey
ALTER TABLE "cosignature" ADD CONSTRAINT "cosignature_checkpoint_id_fkey" FOREIGN KEY ("checkpoint_id") REFERENCES "checkpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;
