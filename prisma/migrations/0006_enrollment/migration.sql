-- Enrollment that waits for an administrator, tombstones, rotated keys, and the counter of joins.

-- AlterTable
ALTER TABLE "device" ADD COLUMN     "approved_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "ended_as" TEXT,
ADD COLUMN     "key_generation" INTEGER NOT NULL DEFAULT 1,
ADD COLUMN     "key_since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- AlterTable
ALTER TABLE "enrollment_token" ADD COLUMN     "approval" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "organisation" ADD COLUMN     "channel_secret" TEXT;

-- CreateTable
CREATE TABLE "former_key" (
    "thumbprint" TEXT NOT NULL,
    "jwk" JSONB NOT NULL,
    "device_id" TEXT NOT NULL,
    "replaced_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "former_key_pkey" PRIMARY KEY ("thumbprint")
);

-- CreateTable
CREATE TABLE "device_join" (
    "device_id" TEXT NOT NULL,
    "joins" INTEGER NOT NULL,
    "mark" TEXT NOT NULL,
    "displaced" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "finding" TEXT,
    "found_at" TIMESTAMPTZ(3),

    CONSTRAINT "device_join_pkey" PRIMARY KEY ("device_id")
);

-- CreateIndex
CREATE INDEX "former_key_device_id_idx" ON "former_key"("device_id");

-- AddForeignKey
ALTER TABLE "former_key" ADD CONSTRAINT "former_key_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "device_join" ADD CONSTRAINT "device_join_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Written by hand from here on: what the schema language cannot say.

UPDATE "device" SET "approved_at" = "enrolled_at", "key_since" = "enrolled_at";
UPDATE "device" SET "ended_as" = 'revoked' WHERE "revoked_at" IS NOT NULL;
ALTER TABLE "device" ADD CONSTRAINT "device_ended_as" CHECK (("revoked_at" IS NULL) = ("ended_as" IS NULL) AND "ended_as" IN ('revoked', 'retired', 'rejected'));
ALTER TABLE "device_join" ADD CONSTRAINT "device_join_finding" CHECK (("finding" IS NULL) = ("found_at" IS NULL) AND "finding" IN ('restore', 'clone'));

CREATE TRIGGER former_key_immutable BEFORE UPDATE OR DELETE ON "former_key" FOR EACH ROW EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER former_key_kept BEFORE TRUNCATE ON "former_key" FOR EACH STATEMENT EXECUTE FUNCTION cordon_refuse_change();
