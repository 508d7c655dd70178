/** The only reader of the environment. */

export interface Defaults {
  readonly server: string | undefined;
  readonly tokenFile: string | undefined;
  /** Certificates that the server's must lead to, in place of the system's. */
  readonly ca: string | undefined;
}

export const readDefaults = (env: Readonly<Record<string, string | undefined>> = process.env): Defaults => ({
  server: env['CORDON_SERVER'],
  tokenFile: env['CORDON_TOKEN_FILE'],
  ca: env['CORDON_CA'],
});
