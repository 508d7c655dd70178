/**
 * For authors of agents: says beside a function or tool what it needs. At run time it does nothing; `cordon manifest build` finds its calls in the source
 * and writes the manifest from them, so each declaration must stand there as a literal.
 *
 *     export const fetchWeather = needs({ network: { hosts: [{ host: 'api.weather.example' }] } }, async (city: string) => …);
 *     export const weatherTool = needs({ environment: ['WEATHER_KEY'] }, { name: 'weather', description: '…', parameters, execute });
 *     needs({ filesystem: { read: ['${workspace}'] }, optional: { ui: { clipboard: 'write' } } }); // of the program itself
 */
import type { Declaration } from './schema.ts';

/** @returns the annotated function or tool itself, unchanged */
export const needs: {
  (declaration: Declaration): void;
  <T extends object>(declaration: Declaration, subject: T): T;
} = <T extends object>(_declaration: Declaration, subject?: T): T | undefined => subject;
