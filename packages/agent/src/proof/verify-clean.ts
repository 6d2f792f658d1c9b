import { setTimeout as sleep } from "node:timers/promises";
import type { Trace } from "@millrace/core";
import { type Configuration, describeTrace } from "@millrace/core/internal";
import { routingTraces, sysctlNotes } from "@millrace/host";
import { type Backends, loadBackends } from "../backends/backends.ts";
import type { Setup } from "../cli/settings-options.ts";
import { NodeNamespaces } from "../kernel/node-namespaces.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";
import { compareKernel } from "./compare-kernel.ts";
import { findFiles } from "./find-files.ts";
import { readKernel } from "./read-kernel.ts";
import type { NotedSnapshot } from "./snapshot-file.ts";
import type { Verification } from "./verification.ts";

/** The kernel frees what is detached or unpinned only some time later (RCU), so what is there still is looked at again. */
const TRIES = 12;
const PAUSE_MS = 250;

export interface VerifyOptions {
  /** The node before Millrace, if that is known. */
  readonly noted: NotedSnapshot;
  /** The CNI plugin stays on purpose. */
  readonly keepCniPlugin: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Looks for everything of Millrace that is left on this node. Changes nothing. The caller makes sure that no agent runs. */
export async function verifyClean(setup: Setup, options: VerifyOptions): Promise<Verification> {
  const backends = await loadBackends(setup, options.log, options.signal);
  for (let tries = 1; ; tries += 1) {
    const verification = await look(setup.configuration, backends, options);
    if (verification.left.length === 0 || tries === TRIES || options.signal.aborted) return verification;
    await sleep(PAUSE_MS, undefined, { signal: options.signal }).catch(() => undefined); // told to stop: the loop sees it
  }
}

async function look(
  configuration: Configuration,
  backends: Backends,
  { noted: { snapshot, problem }, keepCniPlugin }: VerifyOptions,
): Promise<Verification> {
  using namespaces = await NodeNamespaces.open();
  const unseen: string[] = problem === undefined ? [] : [problem];
  const traces = [...namespaces.all.flatMap(routingTraces), ...(await ofBackends(backends, namespaces.all, unseen))];
  const now = readKernel(namespaces.all, configuration.paths.bpffs, false);
  const before = snapshot?.kernel.bootId === now.bootId ? snapshot.kernel : undefined;
  const kernel = compareKernel(before, now);
  const files = findFiles(configuration, snapshot?.files, keepCniPlugin);
  const changed = sysctlNotes(configuration.paths.journal).map(
    ({ path, before: value, written }) =>
      `sysctl ${path}: the journal has it changed from ${oneLine(value)} to ${oneLine(written)}`,
  );
  const here = traces.filter(({ elsewhere }) => !elsewhere);
  return {
    left: [...here.map(describeTrace), ...changed, ...kernel.left, ...files.left],
    unclaimed: [
      ...traces.filter(({ elsewhere }) => elsewhere).map(describeTrace),
      ...kernel.unclaimed,
      ...files.unclaimed,
    ],
    kept: files.kept,
    unseen,
    others: kernel.others,
    comparedWith: {
      kernel: before && { takenAt: before.takenAt, late: before.late },
      files: snapshot?.files && { takenAt: snapshot.files.takenAt },
    },
    namespaces: namespaces.all.length,
  };
}

/** What cannot be looked at is no proof of anything, and told. */
async function ofBackends(
  { plugins, create }: Backends,
  namespaces: NodeNamespaces["all"],
  unseen: string[],
): Promise<Trace[]> {
  const found: Trace[] = [];
  for (const plugin of plugins) {
    try {
      const traces = await create(plugin).traces?.(namespaces);
      if (traces === undefined) unseen.push(`backend ${plugin.name}: it cannot tell what is left of it`);
      else found.push(...traces);
    } catch (error) {
      const { code = "ERR_UNEXPECTED", message } = describeError(error);
      unseen.push(`backend ${plugin.name}: ${code}: ${message}`);
    }
  }
  return found;
}

/** Some sysctls have several numbers, with tabs between. */
const oneLine = (value: string): string => value.replaceAll("\t", " ");
