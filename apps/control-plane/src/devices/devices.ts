/** Devices for other features: who a device is, and that it exists. */
export { endDevices } from './end.ts';
export { insertDevice } from './store.ts';
export { findByKey, findDeviceKey, type DeviceKey } from './keys.ts';
