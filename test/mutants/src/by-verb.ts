import type { NodeFacts, Observation, Proxies } from "@millrace/core";
import type { Mutant } from "./mutant.ts";
import { inNetns, OWN_NETNS } from "./rules.ts";

/** Backends of which a verb does something else than the contract says. */
export const byVerb: readonly Mutant[] = [
  {
    behaviour: "kubelet-probe",
    change: "no address is taken for the node's, so that probes are captured",
    failure: /curl's exit status/,
    verbs: (base) => {
      let node: NodeFacts = { addresses: [] };
      return {
        useNode: (given) => {
          node = given;
          return base.useNode({ addresses: [] });
        },
        observe: async () => ({ ...(await base.observe()), nodeAddresses: node.addresses }),
      };
    },
  },
  {
    behaviour: "host-other-source",
    change: "addresses that the node gets later are not its own",
    failure: /^(the proxy saw|n1 →|within a second)/,
    verbs: (base) => {
      let first: NodeFacts | undefined;
      let last: NodeFacts = { addresses: [] };
      return {
        useNode: (given) => {
          first ??= given;
          last = given;
          return base.useNode(first);
        },
        observe: async () => ({ ...(await base.observe()), nodeAddresses: last.addresses }),
      };
    },
  },
  {
    behaviour: "fail-closed",
    change: "without a proxy, traffic passes",
    failure: /^(process dead|pod not Ready|the connection from before)/,
    policy: { failurePolicy: "open" },
  },
  {
    behaviour: "unenrol",
    change: "a workload that leaves leaves a route behind",
    failure: /what the first time left/,
    verbs: (base) => {
      // Another one each time: in a lab that others have used before, what the first workload left would be how it was.
      let left = 0;
      const leave = () =>
        inNetns(OWN_NETNS, ["ip", "route", "replace", "blackhole", `198.18.66.${(left++ % 254) + 1}`, ...LEFT_BEHIND]);
      return {
        async remove(uid) {
          await base.remove(uid);
          await leave();
        },
        async uninstall() {
          await base.uninstall();
          // A table that was never used cannot be emptied.
          await leave();
          await inNetns(OWN_NETNS, ["ip", "route", "flush", ...LEFT_BEHIND]);
        },
      };
    },
  },
  {
    behaviour: "idempotent-apply",
    change: "looking at the kernel raises a sysctl each time",
    failure: /what changed/,
    verbs: (base) => {
      // Of fragments' reassembly: in this it changes nothing else, and nobody is notified.
      const write = (seconds: number) => inNetns(OWN_NETNS, ["sysctl", "-qw", `net.ipv4.ipfrag_time=${seconds}`]);
      let looks = 0;
      return {
        async observe() {
          await write(FRAGMENT_SECONDS + (++looks % 1000));
          return base.observe();
        },
        async uninstall() {
          await base.uninstall();
          await write(FRAGMENT_SECONDS);
        },
      };
    },
  },
  {
    behaviour: "proxy-handover",
    change: "a proxy that drains is let go of at once",
    failure: /^(streams|new connections|SYNs)/,
    verbs: (base) => {
      let wanted: Proxies = { draining: [] };
      return {
        useProxies: (proxies) => {
          wanted = proxies;
          return base.useProxies({ ...proxies, draining: [] });
        },
        observe: async () => withProxies(await base.observe(), wanted),
      };
    },
  },
  {
    behaviour: "proxy-same-uid-new-netns",
    change: "a proxy is known by its uid alone",
    failure: /captured within a second/,
    verbs: (base) => {
      let wanted: Proxies = { draining: [] };
      const known = new Map<string, string>();
      return {
        async useProxies(proxies) {
          wanted = proxies;
          const { uid = "", key = "" } = proxies.active ?? {};
          if (!known.has(uid)) known.set(uid, key);
          if (known.get(uid) === key) await base.useProxies(proxies);
        },
        observe: async () => withProxies(await base.observe(), wanted),
      };
    },
  },
  {
    behaviour: "agent-restart",
    change: "what an earlier run left is removed instead of adopted",
    failure: /(streams that broke|that failed|past the proxy)/,
    backend: (base) => ({
      async open() {
        const earlier = await base.open();
        await earlier.uninstall();
        await earlier[Symbol.asyncDispose]();
        return base.open();
      },
    }),
  },
  {
    behaviour: "drift-repair",
    change: "it says that all is there without looking",
    failure: /found and mended/,
    verbs: (base) => ({
      observe: async () => complete(await base.observe()),
      ...(base.observeWorkloads === undefined
        ? {}
        : {
            observeWorkloads: async (uids: ReadonlySet<string>) =>
              ((await base.observeWorkloads?.(uids)) ?? []).map(healthy),
          }),
    }),
  },
  {
    behaviour: "coexistence",
    change: "an uninstall removes the routing rules at its priorities, whoever made them",
    failure: /what changed/,
    verbs: (base) => ({
      async uninstall() {
        await base.uninstall();
        // There is one only where somebody else made it.
        await inNetns(OWN_NETNS, ["sh", "-c", "ip rule del priority 101 2>&1 || true"]);
      },
    }),
  },
];

/** What the kernel begins with (include/net/ip.h, IP_FRAG_TIME). */
const FRAGMENT_SECONDS = 30;

const LEFT_BEHIND = ["table", "4711"];

/** As if the proxies were as they are wanted. */
function withProxies(seen: Observation, { active, draining }: Proxies): Observation {
  const whole = { state: "complete", problems: [], foreign: [] } as const;
  return {
    ...seen,
    proxies: [
      ...(active === undefined ? [] : [{ key: active.key, role: "active" as const, ...whole }]),
      ...draining.map(({ key }) => ({ key, role: "draining" as const, ...whole })),
    ],
  };
}

const healthy = <T extends object>(one: T) => ({ ...one, state: "complete" as const, problems: [], foreign: [] });

function complete(seen: Observation): Observation {
  return {
    ...seen,
    problems: [],
    workloads: seen.workloads.map(healthy),
    proxies: seen.proxies.map(healthy),
  };
}
