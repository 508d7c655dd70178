/** One dated number for the wire between device and control plane; a line per change. */
export const PROTOCOL = 1; // 2026-11-23: first
export const SUBPROTOCOL = 'cordon.v1';
