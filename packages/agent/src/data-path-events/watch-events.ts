import { type Configuration, CoreError } from "@millrace/core/internal";
import { configSchema, followEvents, VERDICTS } from "@millrace/plugin-ebpf";
import type { AdminClient } from "../admin/admin-client.ts";
import type { Io } from "../cli/output.ts";
import { AgentError } from "../errors.ts";
import { PodNames, STALE_MS } from "./pod-names.ts";
import { eventText, type Filter, matches, tell } from "./told-event.ts";

export interface Watch {
  readonly io: Io;
  readonly configuration: Configuration;
  readonly client: Pick<AdminClient, "status">;
  readonly filter: Filter;
  readonly connections: boolean;
  readonly jsonl: boolean;
}

/**
 * Prints events of the data path until the signal of `io`. While the reader of the output is slow the kernel keeps them, and counts those that
 * it has no room for.
 *
 * Throws `ERR_CONFIG_INVALID` for a verdict that is none; what {@link followEvents} does; and, where only one pod is asked for, what asking the agent does.
 */
export async function watchEvents({ io, configuration, client, filter, connections, jsonl }: Watch): Promise<void> {
  const unknown = filter.verdicts?.find((name) => !VERDICTS.some((verdict) => verdict === name));
  if (unknown !== undefined) {
    throw new CoreError("ERR_CONFIG_INVALID", `--verdict ${unknown} is none. Known: ${VERDICTS.join(", ")}`);
  }
  const names = new PodNames(client);
  await unlessNeeded(names.read(), filter.pod !== undefined);
  const { pins } = configSchema.parse(configuration.backends.ebpf ?? {});
  const { bpffs } = configuration.paths;
  const { pod } = filter;
  using stack = new DisposableStack();
  if (pod !== undefined) {
    // It may come again, with other addresses.
    const reading = setInterval(() => void unlessNeeded(names.read(), false), STALE_MS);
    stack.defer(() => clearInterval(reading));
  }
  const addresses = pod === undefined ? {} : { addresses: () => names.addressesOf(pod) };
  await followEvents(
    { bpffs, pins, connections, ...addresses, signal: io.signal },
    async ({ events, lost, isOfAsked }) => {
      await unlessNeeded(names.learn(events.flatMap(({ source, destination }) => [source, destination])), false);
      const told = events.map((event) => tell(event, (address) => names.of(address)));
      const shown = told.filter((event) => matches(event, filter, isOfAsked));
      await io.out.write(shown.map((event) => `${jsonl ? JSON.stringify(event) : eventText(event)}\n`).join(""));
      if (lost > 0) await io.err.write(`${lost} events were lost: they came faster than they were read\n`);
    },
  );
}

/** Without an agent events are told by their addresses alone. */
async function unlessNeeded(asking: Promise<void>, isNeeded: boolean): Promise<void> {
  try {
    await asking;
  } catch (error) {
    if (isNeeded || !(error instanceof AgentError)) throw error;
  }
}
