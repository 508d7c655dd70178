/** Devices for other features: who a device is, and that it exists. */
export { findDeviceKey, insertDevice } from './store.ts';
