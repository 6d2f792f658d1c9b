import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { FAMILIES } from "../lab/addresses.ts";
import { Lab } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { stampProxy } from "../lab/stamp.ts";
import { ServerEscapes } from "./server-escapes.ts";

const PORT = 8080;

/** On a node without an agent everything escapes: what counts there would count it on any other. */
describe("counting what comes past the proxy", () => {
  let lab: Lab;
  let escapes: ServerEscapes;

  beforeAll(async () => {
    lab = await Lab.create({ prefix: "se", nodes: [{ pods: ["m1", "plain"] }], externals: ["world"] });
    for (const server of [lab.pod("m1"), lab.external("world")]) await (await server.endpoint()).listen(PORT);
  });
  afterEach(() => escapes[Symbol.asyncDispose]());
  afterAll(() => lab[Symbol.asyncDispose]());

  const start = async (onceProxied = false) => {
    const [m1, world] = [lab.pod("m1"), lab.external("world")];
    escapes = await ServerEscapes.start({ node: lab.node(1), members: [m1], worlds: [world], onceProxied });
  };
  const dial = async (from: LabHost, to: LabHost) => {
    for (const family of FAMILIES) {
      const outcome = await (await from.endpoint()).ask("report", { host: to.address(family), port: PORT });
      expect(outcome).toMatchObject({ ok: true });
    }
  };
  /** For a moment m1 is its own proxy. */
  const stamped = async (work: () => Promise<void>) => {
    await stampProxy(lab.pod("m1"));
    await work();
    await lab.pod("m1").namespace.nft("delete table inet lab-stamp\n");
  };

  it("counts a member's connections at a server, and none of a pod that is no member", async () => {
    await start();
    await dial(lab.pod("plain"), lab.external("world"));
    expect(await escapes.read()).toEqual({ escaped: 0, proxied: 0 });
    await dial(lab.pod("m1"), lab.external("world"));
    expect(await escapes.read()).toEqual({ escaped: 2, proxied: 0 });
  });

  it("counts connections to a member, and none of its node", async () => {
    await start();
    await dial(lab.node(1), lab.pod("m1"));
    expect(await escapes.read()).toEqual({ escaped: 0, proxied: 0 });
    await dial(lab.pod("plain"), lab.pod("m1"));
    expect(await escapes.read()).toEqual({ escaped: 2, proxied: 0 });
  });

  it("tells what a proxy dials by its stamp", async () => {
    await start();
    await stamped(() => dial(lab.pod("m1"), lab.external("world")));
    expect(await escapes.read()).toEqual({ escaped: 0, proxied: 2 });
  });

  it("lets a sender come unproxied until it has come by a proxy, if told so", async () => {
    await start(true);
    await dial(lab.pod("m1"), lab.external("world"));
    await stamped(() => dial(lab.pod("m1"), lab.external("world")));
    expect(await escapes.read()).toEqual({ escaped: 0, proxied: 2 });
    await dial(lab.pod("m1"), lab.external("world"));
    expect(await escapes.read()).toEqual({ escaped: 2, proxied: 2 });
  });
});
