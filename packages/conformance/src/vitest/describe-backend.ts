import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { behaviours } from "../behaviours/index.ts";
import type { Family } from "../lab/addresses.ts";
import type { PodNetworkKind } from "../lab/pod-network.ts";
import type { ServiceMode } from "../lab/services.ts";
import type { Behaviour, Temperature } from "../suite/behaviour.ts";
import { findBackend } from "../suite/find-backend.ts";
import { type Case, Suite } from "../suite/run.ts";

export interface DescribeOptions {
  /** Ids or numbers of the behaviours to run; default all. */
  readonly only?: readonly (string | number)[];
  readonly families?: readonly Family[];
  readonly temperatures?: readonly Temperature[];
  /** The backend's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Those as well that the backend does not claim. */
  readonly ignoreClaims?: boolean;
  readonly services?: ServiceMode;
  readonly pods?: PodNetworkKind;
  /** Start of the lab's names; default `mrv`. */
  readonly prefix?: string;
}

/** One trial: a slow one starts a hundred pods. */
const TIMEOUT_MS = 600_000;

/**
 * Describes a backend by a test for each trial: a behaviour in one family and temperature. The agent is another process, so a backend is named as
 * the agent loads it: by the path or URL of its module, the path of its directory, or the name of a package. What it does not claim is no test, as it
 * is neither passed nor skipped; the first test tells which that is.
 *
 * To be awaited at the top level of a test file. Needs root. Throws what `findBackend` throws.
 */
export async function describeBackend(backend: string | URL, options: DescribeOptions = {}): Promise<void> {
  const wanted = backend instanceof URL ? fileURLToPath(backend) : backend;
  const { name, plugins, claims } = await findBackend(wanted, [], process.cwd());
  const { only, families, temperatures, config = {}, services, pods, ignoreClaims = false, prefix = "mrv" } = options;
  const suite = new Suite({
    backend: name,
    plugins,
    backendConfig: config,
    behaviours: behaviours.filter((behaviour) => isWanted(behaviour, only)),
    prefix,
    ...(claims === undefined || ignoreClaims ? {} : { claims }),
    ...(families && { families }),
    ...(temperatures && { temperatures }),
    ...(services && { services }),
    ...(pods && { pods }),
  });
  describe(`conformance of ${name}`, () => {
    afterAll(async () => {
      const { logs, logFailures } = await suite.end();
      expect(logFailures).toEqual([]);
      expect(logs.missing, "agents whose event log nobody has verified").toBe(0);
    }, TIMEOUT_MS);

    it("claims behaviours that there are", async ({ annotate }) => {
      const ids: readonly string[] = behaviours.map(({ id }) => id);
      expect((claims ?? []).filter((claim) => !ids.includes(claim))).toEqual([]);
      if (suite.unclaimed.length > 0) await annotate(`unclaimed: ${suite.unclaimed.map(({ id }) => id).join(", ")}`);
    });

    for (const one of suite.cases) {
      it(titleOf(one), { timeout: TIMEOUT_MS }, async () => {
        const { passed, failure, evidence } = await suite.run(one);
        if (!passed) expect.fail([failure, ...evidence.map((seen) => `saw ${seen}`)].join("\n"));
      });
    }
  });
}

const isWanted = ({ id, number }: Behaviour, only?: readonly (string | number)[]): boolean =>
  only?.some((name) => name === id || String(name) === String(number)) ?? true;

const titleOf = ({ behaviour: { id, number, title }, family, temperature }: Case): string =>
  `${number ?? "x"} ${id} IPv${family} ${temperature}: ${title}`;
