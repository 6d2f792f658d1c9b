import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  type Call,
  definePlugin,
  type Observation,
  type PluginContext,
  type Probe,
  type Redirection,
  type RedirectionBackend,
  type Workload,
} from "../index.ts";

// What a backend author may write, and may not. The compiler is the test: `tsc -b` refuses this file when the contract no longer is so.

declare const redirection: Redirection;
declare const probe: Probe;

const backend: RedirectionBackend = { probe: async () => probe, open: async () => redirection };

test("a plugin's configuration has the type that its schema gives", () => {
  definePlugin({
    name: "typed",
    description: "for tests",
    apiVersion: 1,
    config: z.strictObject({ table: z.int().default(7) }),
    create: (context) => {
      expectTypeOf(context).toEqualTypeOf<PluginContext<{ table: number }>>();
      expectTypeOf(context.host.journal).toEqualTypeOf<string>();
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
      // @ts-expect-error: there is no such setting.
      context.config.tabel;
      return backend;
    },
  });
});

test("what a plugin must have", () => {
  // @ts-expect-error: without a version nobody knows which contract it keeps.
  definePlugin({ name: "x", description: "x", config: z.strictObject({}), create: () => backend });
  // @ts-expect-error: a backend opens something.
  definePlugin({ name: "x", description: "x", apiVersion: 1, config: z.strictObject({}), create: () => ({}) });
});

test("a backend may leave out what is optional, and nothing else", () => {
  type Optional = "observeWorkloads" | "explain" | "handOver" | "carryOn" | "withdraw";
  expectTypeOf<Omit<Redirection, Optional>>().toExtend<Redirection>();
  expectTypeOf<Omit<Redirection, Optional | "uninstall">>().not.toExtend<Redirection>();
  expectTypeOf<Omit<Redirection, Optional | typeof Symbol.asyncDispose>>().not.toExtend<Redirection>();
  expectTypeOf<Pick<RedirectionBackend, "probe" | "open">>().toExtend<RedirectionBackend>();
});

test("a verb may declare its call as required, or not at all", () => {
  class Declared implements Pick<Redirection, "apply" | "observe"> {
    async apply(_: Workload, call: Call): Promise<void> {
      expectTypeOf(call.signal).toEqualTypeOf<AbortSignal>();
    }
    observe = (): Promise<Observation> => redirection.observe();
  }
  expectTypeOf<Declared>().toExtend<Pick<Redirection, "apply" | "observe">>();
  expectTypeOf<Pick<Required<Redirection>, "explain">["explain"]>().parameter(1).toEqualTypeOf<Call | undefined>();
});

test("what is given to a backend is not its to change", () => {
  const change = (workload: Workload): void => {
    // @ts-expect-error: read-only.
    workload.uid = "other";
    // @ts-expect-error: read-only.
    workload.addresses.push("198.18.0.1");
  };
  expectTypeOf(change).parameter(0).toEqualTypeOf<Workload>();
});

test("a result has a shape", () => {
  // @ts-expect-error: counters are numbers.
  const wrong: Observation = { workloads: [], proxies: [], problems: [], nodeAddresses: [], counters: { "a.b": "1" } };
  expectTypeOf(wrong).toEqualTypeOf<Observation>();
});
