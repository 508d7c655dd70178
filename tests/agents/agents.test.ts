/** Real, unmodified agents in one contained installation, one story after the other. */
import { afterAll, beforeAll } from 'vitest';
import { worksAlone } from './headless.ts';
import { worksWithAPerson } from './interactive.ts';
import { meetsAMaliciousServer } from './mcp.ts';
import { worksInAMaliciousRepository } from './repository.ts';
import { startScene, type Scene } from './scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene?.close());

worksAlone(() => scene);
worksWithAPerson(() => scene);
meetsAMaliciousServer(() => scene);
worksInAMaliciousRepository(() => scene);
