import type { State } from "@millrace/core/internal";
import { expect, test } from "vitest";
import type { WorkloadState } from "../status/status-document.ts";
import { ServedApi } from "../testing/served-api.test.kit.ts";
import { type AnnotatedPod, PodAnnotations } from "./pod-annotations.ts";

const KEY = "ambient.istio.io/redirection";
const PODS = "/api/v1/pods";

/** A pod that the agent and the API server know of. */
class Annotated implements AsyncDisposable {
  readonly served: ServedApi;
  readonly annotations: PodAnnotations;
  state: WorkloadState = "enrolled";
  #now = 0;

  private constructor(served: ServedApi) {
    this.served = served;
    const { api, log } = served;
    this.annotations = new PodAnnotations({ api, log });
  }

  static async create(annotations?: Record<string, string>): Promise<Annotated> {
    const it = new Annotated(await ServedApi.create());
    it.put(annotations);
    return it;
  }

  get pod(): AnnotatedPod {
    return { uid: "u1", namespace: "shop", name: "web-1", state: this.state };
  }

  get server() {
    return this.served.server;
  }

  /** As the API server has it. */
  get stored(): unknown {
    return this.server.get(PODS, "shop", "web-1")?.metadata.annotations;
  }

  put(annotations: Record<string, string> | undefined, uid = "u1"): void {
    const metadata = { namespace: "shop", name: "web-1", uid, ...(annotations && { annotations }) };
    this.server.put(PODS, { metadata, status: { phase: "Running" } });
  }

  /** Looks as the agent does, with what the watch last told of the annotation. */
  look(seen: string | undefined, { passedMs = 0, terminating = false, kernelIsKnown = true } = {}): void {
    this.#now += passedMs;
    const pod = { terminating, annotations: seen === undefined ? {} : { [KEY]: seen } };
    const pods = new Map([["u1", pod]]) as unknown as State["pods"];
    this.annotations.look({ workloads: [this.pod], pods, kernelIsKnown }, performance.now() + this.#now);
  }

  writes(): unknown[] {
    return this.server.asked.filter(({ method }) => method === "PATCH").map(({ path, body }) => [path, body]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.annotations[Symbol.asyncDispose]();
    await this.served[Symbol.asyncDispose]();
  }
}

test("an enrolled pod is annotated through its status, once, and nothing else of it is touched", async () => {
  await using it = await Annotated.create({ other: "1" });
  it.look(undefined);
  await expect.poll(() => it.stored).toEqual({ other: "1", [KEY]: "enabled" });
  expect(it.writes()).toEqual([
    [
      "/api/v1/namespaces/shop/pods/web-1/status",
      { metadata: { resourceVersion: "101", annotations: { [KEY]: "enabled" } } },
    ],
  ]);
  await expect.poll(() => it.annotations.counts).toEqual({ success: 1 });
  it.look(undefined); // the watch has not told of it yet
  it.look("enabled");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.writes()).toHaveLength(1);
});

test.each(["not a member", "failed", "partial"] as const)("a pod that is %s loses the annotation", async (state) => {
  await using it = await Annotated.create({ [KEY]: "enabled" });
  it.state = state;
  it.look("enabled");
  await expect.poll(() => it.stored).toEqual({});
});

test.each(["pending", "leaving"] as const)("while it is %s, what was said stands", async (state) => {
  await using it = await Annotated.create({ [KEY]: "enabled" });
  it.state = state;
  it.look("enabled");
  it.look("enabled", { passedMs: 9_000 });
  it.look(undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.served.asked()).toEqual([]);
});

test("what never comes to its end is not said to be there; what is still in the kernel is", async () => {
  await using it = await Annotated.create({ [KEY]: "enabled" });
  it.state = "leaving";
  it.look("enabled");
  it.look("enabled", { passedMs: 60_000 });
  it.state = "pending";
  it.look("enabled");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.served.asked()).toEqual([]);
  it.look("enabled", { passedMs: 11_000 });
  await expect.poll(() => it.stored).toEqual({});
});

test("of what cannot be seen any more, what was said stands for a moment only", async () => {
  await using it = await Annotated.create({ [KEY]: "enabled" });
  it.look("enabled");
  it.state = "unseen";
  it.look("enabled");
  it.look("enabled", { passedMs: 9_000 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.served.asked()).toEqual([]);
  it.look("enabled", { passedMs: 2_000 });
  await expect.poll(() => it.stored).toEqual({});
});

test("until the kernel was read, what an earlier run said stands", async () => {
  await using it = await Annotated.create({ [KEY]: "enabled" });
  it.state = "pending";
  it.look("enabled", { kernelIsKnown: false });
  it.look("enabled", { kernelIsKnown: false, passedMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.served.asked()).toEqual([]);
});

test("the latest state wins, whatever was wanted when it was asked for", async () => {
  await using it = await Annotated.create();
  let refusals = 0;
  it.server.refuse = () => (refusals++ < 2 ? 503 : undefined);
  it.look(undefined);
  await expect.poll(() => refusals).toBeGreaterThan(0);
  it.state = "not a member";
  it.look(undefined);
  await expect.poll(() => refusals).toBeGreaterThan(2);
  expect(it.writes()).toEqual([]);
});

test("what its author says in this very moment stays", async () => {
  await using it = await Annotated.create();
  it.server.refuse = ({ method }) => {
    // Between our reading and our writing.
    if (method === "PATCH") it.put({ [KEY]: "disabled" });
    return undefined;
  };
  it.look(undefined);
  await expect.poll(() => it.annotations.counts).toEqual({ HTTP_409: 1 });
  await expect.poll(() => it.served.asked().filter((asked) => asked.startsWith("GET"))).toHaveLength(2);
  expect(it.stored).toEqual({ [KEY]: "disabled" });
  it.look("disabled");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.stored).toEqual({ [KEY]: "disabled" });
});

test("another pod under the same name, one that is gone, and one that ends are left alone", async () => {
  await using it = await Annotated.create();
  it.put(undefined, "u2");
  it.look(undefined);
  await expect.poll(() => it.served.asked()).toHaveLength(1);
  it.server.remove(PODS, "shop", "web-1");
  it.look(undefined);
  await expect.poll(() => it.served.asked()).toHaveLength(2);
  it.look(undefined, { terminating: true });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.served.asked()).toHaveLength(2);
  expect([it.writes(), it.annotations.counts]).toEqual([[], {}]);
});

test("an annotation that somebody takes away comes back", async () => {
  await using it = await Annotated.create();
  it.look(undefined);
  await expect.poll(() => it.stored).toEqual({ [KEY]: "enabled" });
  await expect.poll(() => it.annotations.counts).toEqual({ success: 1 });
  it.look("enabled");
  it.put({});
  it.look(undefined);
  await expect.poll(() => it.stored).toEqual({ [KEY]: "enabled" });
  // The same where the watch never came to tell of our own write.
  await expect.poll(() => it.annotations.counts).toEqual({ success: 2 });
  it.put({});
  it.look(undefined, { passedMs: 61_000 });
  await expect.poll(() => it.stored).toEqual({ [KEY]: "enabled" });
});
