import { invocation } from "./invocation.ts";

export const USAGE = `Usage: ${invocation()} <command>

  list                 the behaviours, in Given / When / Then
  down [<lab>…]        remove labs that --keep left up: all, or these
  sweep                remove what labs of dead processes left
  table <report.json>… what these reports of one backend say, as a table in Markdown
  run --backend <backend> run behaviours against a backend: ebpf, iptables, a path (., ./mine, ./mine/index.ts) or a package
      --attach <mode>        how the ebpf backend attaches: tcx or clsact
      --flavour <flavour>    which iptables the iptables backend uses: nft or legacy
      --tunnel <kind>        its tunnel: geneve or vxlan
      --services <mode>      how the node translates Services: nft (default), iptables-nft, iptables-legacy
      --pods <how>           how pods are attached to the node: routed (default), bridge
      --bridge-nf 0|1        whether the node's iptables see what its bridges pass on; default: as the kernel has it
      --config <json>        the backend's configuration
      --plugin <path>        a plugin the agent is to load; may be repeated
      --agent <command>      how to run millrace; default: the version this belongs to
      --only <id>[,<id>…]    these behaviours, by id or number
      --except <id>[,<id>…]  all but these
      --ignore-claims        those as well that the backend does not claim
      --family 4|6           one family only
      --temperature cold|warm
      --evidence             print what was seen of every trial, not only of those that fail
      --keep                 leave the lab of the last trial, or of the first that fails, up for a look
      --report <file>        every result with its evidence: .json or .html; may be repeated
      --badge <file.svg>     a badge for a README

Exit status: 0 when every behaviour passed and every agent left an event log that replays, 1 when not, 2 for wrong usage, without
root and without HAProxy.
`;
