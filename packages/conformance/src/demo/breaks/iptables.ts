import type { Family } from "../../lab/addresses.ts";
import type { Flavour } from "../modes/iptables.ts";
import type { Stage } from "../stage.ts";
import type { Break } from "./break.ts";

const host = (stage: Stage) => stage.lab.node(1).namespace;

const cartFrom = (stage: Stage, family: Family): string[] => [
  "del",
  `millrace-from${family}`,
  `${stage.cart.address(family)},${stage.cart.hostInterface}`,
];

/** What can be broken of the iptables backend's. */
export const iptablesBreaks = (flavour: Flavour): readonly Break[] => [
  {
    name: "outbound-forgotten",
    description: "a member is taken out of the set by which packets that leave it are known",
    apply: async (stage) => void (await host(stage).runChecked("ipset", cartFrom(stage, 4))),
  },
  {
    name: "inbound-forgotten",
    description: "a member's route into the tunnel is deleted: what arrives is not captured",
    apply: async (stage) => {
      const routes = await host(stage).runChecked("ip", ["-4", "route", "show", "table", "all", "dev", "millrace-in"]);
      const route = routes.split("\n").find((line) => line.startsWith(stage.web.address(4)));
      const table = /table (\d+)/.exec(route ?? "")?.[1] ?? "";
      await host(stage).runChecked("ip", [
        "-4",
        "route",
        "del",
        stage.web.address(4),
        "dev",
        "millrace-in",
        "table",
        table,
      ]);
    },
  },
  {
    name: "ipv6-let-by",
    description: "a member is taken out of the sets of IPv6: only IPv4 is captured",
    apply: async (stage) => {
      await host(stage).runChecked("ipset", cartFrom(stage, 6));
      await host(stage).runChecked("ipset", ["del", "millrace-to6", stage.cart.address(6)]);
    },
  },
  {
    name: "mark-rule-removed",
    description: "the policy rule that leads marked packets into the tunnel is deleted: the guard drops them",
    apply: async (stage) => {
      const rules = await host(stage).runChecked("ip", ["-4", "rule", "show"]);
      const out = await outboundTable(stage);
      const priority =
        rules
          .split("\n")
          .find((line) => line.includes(`lookup ${out} `))
          ?.split(":")[0] ?? "";
      await host(stage).runChecked("ip", ["-4", "rule", "del", "priority", priority]);
    },
  },
  {
    name: "tunnel-remote",
    description: "the tunnel leads to somebody else than the proxy",
    apply: async (stage) => {
      const [, kind = ""] =
        / (geneve|vxlan) /.exec(await host(stage).runChecked("ip", ["-d", "link", "show", "millrace-out"])) ?? [];
      await host(stage).runChecked("ip", [
        "link",
        "set",
        "millrace-out",
        "type",
        kind,
        "remote",
        stage.legacy.address(4),
      ]);
    },
  },
  {
    name: "bypass-too-wide",
    description: "a port that nobody has excluded is: TCP to it is let by",
    apply: async (stage) => {
      await host(stage).runChecked("ipset", [
        "add",
        "millrace-xout4",
        `${stage.cart.address(4)},tcp:8080`,
        "comment",
        "x 1",
      ]);
    },
  },
  {
    name: "fail-open",
    description: "members' TCP passes while no proxy is there",
    before: "proxy-down",
    apply: async (stage) => {
      await host(stage).runChecked("ipset", cartFrom(stage, 4));
    },
  },
  {
    name: "guard-deleted",
    description: "the rules that drop members' TCP nobody has decided about are flushed",
    before: "guard",
    apply: async (stage) => {
      await host(stage).runChecked(`iptables-${flavour}`, ["-t", "filter", "-F", "MILLRACE-GUARD"]);
      await host(stage).runChecked(`iptables-${flavour}`, ["-t", "filter", "-F", "MILLRACE-FWD-TCP"]);
    },
  },
  {
    name: "dns-shut",
    description: "a rule in the proxy's namespace shuts its port 15053: captured questions get no answer",
    apply: (stage) =>
      stage.lab.pod("ztunnel-1").namespace.nft(`table inet shut {
  chain prerouting {
    type filter hook prerouting priority -300
    udp dport 15053 drop
  }
}
`),
  },
  {
    name: "proxy-rule-removed",
    description: "the policy rule in the proxy's namespace is deleted: redirected packets are not local there",
    apply: async (stage) => {
      const proxy = stage.lab.pod("ztunnel-1").namespace;
      await proxy.runChecked("ip", ["-4", "rule", "del", "iif", "millrace-out"]);
    },
  },
];

/** The table that leads into the tunnel for what members send. */
async function outboundTable(stage: Stage): Promise<string> {
  const routes = await host(stage).runChecked("ip", ["-4", "route", "show", "table", "all", "dev", "millrace-out"]);
  return /^default .*table (\d+)/m.exec(routes)?.[1] ?? "";
}
