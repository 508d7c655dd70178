/** What the auditor sees: compliance, telemetry and the audit log, as the API tells them. */
import { until, type Api } from './api.ts';
import { visible } from '@cordon/policy/visible.ts';
import type { Show } from './show.ts';

interface Event {
  readonly kind: string;
  readonly verdict: string | null;
  readonly target: string | null;
  readonly rule: string | null;
  readonly osUser: string | null;
  readonly run: string | null;
}

export const showProof = (show: Show, api: Api, forbidden: string): Promise<void> =>
  show.step('7. The proof: compliance, telemetry and audit, through the API', async () => {
    const summary = await until('the device is compliant', 20_000, async () => {
      const seen = await api.get<{ states: Record<string, number>; total: number }>('/compliance/summary');
      return seen.states['Compliant'] === 1 ? seen : undefined;
    });
    show.expect('compliance: 1 of 1 device Compliant', summary.total === 1, JSON.stringify(summary.states));
    const denials = await until('the denials have arrived', 20_000, async () => {
      const { items } = await api.get<{ items: Event[] }>('/telemetry/events?kind=egress&verdict=denied&limit=50');
      return items.some((event) => event.target?.startsWith(forbidden)) ? items : undefined;
    });
    for (const event of denials.slice(0, 4))
      show.line(
        `  denied ${visible(event.target ?? '?')} for ${visible(event.osUser ?? '?')}, rule ${visible(event.rule ?? 'default deny')}, run ${visible(event.run ?? '?')}`,
      );
    show.expect(
      'telemetry names each denial, its run and its rule',
      denials.every((event) => event.run !== null && event.rule !== null),
    );
    const runs = await until('the end of both runs has arrived', 20_000, async () => {
      const { items } = await api.get<{ items: Event[] }>('/telemetry/events?kind=run.ended&limit=50');
      return items.length >= 2 ? items : undefined;
    });
    show.expect('both runs are in the telemetry', runs.length >= 2, `${runs.length} ended`);
    const { items: audit } = await api.get<{ items: { action: string; actor: string }[] }>('/audit?limit=100');
    show.expect(
      'the audit log has what the admin did',
      ['policy.create', 'proposal.create', 'proposal.approve', 'changes.publish', 'device.enroll'].every((action) =>
        audit.some((entry) => entry.action === action),
      ),
      [...new Set(audit.map((entry) => entry.action))].join(', '),
    );
  });
