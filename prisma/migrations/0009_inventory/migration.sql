-- What devices say is installed and runs on them. All rows of a device are of one frame and replaced together; only sightings of agents outside containment stay.
-- CreateTable
CREATE TABLE "device_inventory" (
    "device_id" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "left_out" INTEGER NOT NULL,

    CONSTRAINT "device_inventory_pkey" PRIMARY KEY ("device_id")
);

-- CreateTable
CREATE TABLE "inventory_agent" (
    "device_id" TEXT NOT NULL,
    "n" INTEGER NOT NULL,
    "agent" TEXT NOT NULL,
    "os_user" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "running" TEXT NOT NULL,

    CONSTRAINT "inventory_agent_pkey" PRIMARY KEY ("device_id","n")
);

-- CreateTable
CREATE TABLE "inventory_server" (
    "device_id" TEXT NOT NULL,
    "n" INTEGER NOT NULL,
    "agent" TEXT NOT NULL,
    "os_user" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "scope" TEXT NOT NULL,
    "transport" TEXT NOT NULL,
    "program" TEXT NOT NULL,
    "file" TEXT NOT NULL,

    CONSTRAINT "inventory_server_pkey" PRIMARY KEY ("device_id","n")
);

-- CreateTable
CREATE TABLE "inventory_sighting" (
    "device_id" TEXT NOT NULL,
    "agent" TEXT NOT NULL,
    "os_user" TEXT NOT NULL,
    "program" TEXT NOT NULL,
    "evidence" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "first_at" TIMESTAMPTZ(3) NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "times" INTEGER NOT NULL,
    "running" BOOLEAN NOT NULL,

    CONSTRAINT "inventory_sighting_pkey" PRIMARY KEY ("device_id","agent","os_user","program")
);

-- CreateIndex
CREATE INDEX "inventory_agent_agent_device_id_n_idx" ON "inventory_agent"("agent", "device_id", "n");

-- CreateIndex
CREATE INDEX "inventory_server_name_device_id_n_idx" ON "inventory_server"("name", "device_id", "n");

-- CreateIndex
CREATE INDEX "inventory_server_program_device_id_n_idx" ON "inventory_server"("program", "device_id", "n");

-- CreateIndex
CREATE INDEX "inventory_sighting_last_at_idx" ON "inventory_sighting"("last_at");

-- AddForeignKey
ALTER TABLE "device_inventory" ADD CONSTRAINT "device_inventory_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inventory_agent" ADD CONSTRAINT "inventory_agent_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inventory_server" ADD CONSTRAINT "inventory_server_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inventory_sighting" ADD CONSTRAINT "inventory_sighting_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

