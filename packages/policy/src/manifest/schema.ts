/** What one agent program declares that it needs: its request for permissions, never more than policies give. Closed, with a limit on everything. */
import { Type, type Static } from 'typebox';
import { Clipboard, closed, Hosts, Name, Names, ReadWrite, True } from '../document/terms.ts';

/** One side of a manifest. The words mean what they mean in an `allow`. */
export const Needs = Type.Object(
  {
    filesystem: Type.Optional(ReadWrite),
    network: Type.Optional(
      Type.Object(
        { hosts: Type.Optional(Hosts), ingress: Type.Optional(True), hostLoopback: Type.Optional(True) },
        closed('Where to, and from where; a host means port 443 unless it says ports'),
      ),
    ),
    ui: Type.Optional(
      Type.Object(
        { windows: Type.Optional(True), clipboard: Type.Optional(Clipboard), inputInjection: Type.Optional(True) },
        closed('The desktop'),
      ),
    ),
    environment: Type.Optional(Names),
  },
  closed('What is needed'),
);
export type Needs = Static<typeof Needs>;

/** What an annotation declares: needed by whoever calls what is annotated, and under `optional` what is only of use. */
export const Declaration = Type.Object({ ...Needs.properties, optional: Type.Optional(Needs) }, closed('What a function or tool needs'));
export type Declaration = Static<typeof Declaration>;

export const AgentManifest = Type.Object(
  {
    apiVersion: Type.Literal('cordon/v1'),
    kind: Type.Literal('AgentManifest'),
    metadata: Type.Object(
      {
        name: Name,
        agent: Type.Optional(
          Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$', description: 'The id of the agent profile that this program runs as' }),
        ),
        description: Type.Optional(Type.String({ maxLength: 1000 })),
      },
      closed('What it is called'),
    ),
    needs: Type.Object(
      { required: Type.Optional(Needs), optional: Type.Optional(Needs) },
      closed(
        'required: without all of it the program does not start; optional: used where policies grant it. What is in neither is not granted',
      ),
    ),
  },
  {
    additionalProperties: false,
    title: 'Cordon agent manifest',
    description: 'What one agent program needs. A run under it may do what policies allow and the manifest asks for, no more',
  },
);
export type AgentManifest = Static<typeof AgentManifest>;
