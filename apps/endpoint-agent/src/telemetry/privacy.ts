/** What telemetry says of a path, as the policy's privacy wants it. */
import path from 'node:path';
import type { Privacy } from '@cordon/policy/effective.ts';

export const pathShown = (place: string, privacy: Privacy['paths']): string =>
  privacy === 'none' ? '' : privacy === 'folder' ? path.dirname(place) : place;
