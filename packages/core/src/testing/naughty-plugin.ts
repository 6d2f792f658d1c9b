import { appendFileSync, openSync } from "node:fs";
import { z } from "zod";
import { definePlugin } from "../backend/define-plugin.ts";
import type { NamespacePlace } from "../backend/traces.ts";
import { FakeRedirection } from "./fake-redirection.ts";

/** What a verb does instead of its work, by the verb's name. */
const deeds = {
  throw: () => {
    throw Object.assign(new Error("no such device"), { code: "ENODEV" });
  },
  reject: () => Promise.reject("a string"),
  hang: () => new Promise(() => undefined),
  nonsense: () => ({ workloads: "many" }),
  uncloneable: () => ({ workloads: () => 1 }),
  block: () => {
    for (;;);
  },
  exit: () => process.exit(7),
  stray: () => {
    setTimeout(() => {
      throw new Error("nobody catches this");
    });
    return new Promise(() => undefined);
  },
  /** What keeps a process alive, and what it has open. */
  leak: () => {
    for (let count = 0; count < 500; count += 1) openSync("/dev/null", "r");
    setInterval(() => undefined, 1000);
  },
} as const;

const deed = z.enum([...(Object.keys(deeds) as (keyof typeof deeds)[]), "log", "print"]);

/** A plugin that does wrong what its configuration says, and right what it does not; it writes each of its calls down. */
export default definePlugin({
  name: "naughty",
  description: "for tests",
  apiVersion: 1,
  config: z.strictObject({
    deeds: z.record(z.string(), deed).default({}),
    diary: z.string(),
    traces: z.boolean().default(true),
  }),
  create: ({ config, log }) => {
    const write = (what: string) => appendFileSync(config.diary, `${process.pid} ${what}\n`);
    const instead = (verb: string): unknown => {
      write(verb);
      const chosen = config.deeds[verb];
      if (chosen === "log") for (let count = 0; count < 20_000; count += 1) log.warn({ count }, "again");
      else if (chosen === "print") for (let count = 0; count < 20_000; count += 1) console.log("again", count);
      else if (chosen !== undefined) return deeds[chosen]();
      return undefined;
    };
    class Naughty extends FakeRedirection {
      override async observe() {
        return (await instead("observe")) === undefined ? super.observe() : (instead("observe") as never);
      }
      override async apply(workload: Parameters<FakeRedirection["apply"]>[0]) {
        await instead("apply");
        await super.apply(workload);
      }
      override async remove(uid: string) {
        await instead("remove");
        await super.remove(uid);
      }
      override async useNode(node: Parameters<FakeRedirection["useNode"]>[0]) {
        write(`useNode ${node.addresses}`);
        await super.useNode(node);
      }
      async handOver(_uid: string, carryOn: () => Promise<void>) {
        await carryOn();
        write("handed over");
      }
    }
    return {
      probe: async () => {
        await instead("probe");
        return { features: [], capable: true, summary: "everything is there" };
      },
      open: async () => {
        write("open");
        return new Naughty();
      },
      ...(config.traces && {
        traces: async (namespaces: readonly NamespacePlace[]) =>
          namespaces.map(({ fd, name }) => ({ kind: typeof fd, where: name, what: "a trace", mark: "none" })),
      }),
    };
  },
});
