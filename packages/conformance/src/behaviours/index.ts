import type { Behaviour } from "../suite/behaviour.ts";
import outboundTcp from "./01-outbound-tcp.ts";
import outboundVip from "./02-outbound-vip.ts";
import proxyDialsService from "./02b-proxy-dials-service.ts";
import outboundVipLocalAddress from "./03-outbound-vip-local-address.ts";
import inboundPlaintext from "./04-inbound-plaintext.ts";
import inboundHbone from "./05-inbound-hbone.ts";
import noHboneConfusion from "./06-no-hbone-confusion.ts";
import memberToMemberSameNode from "./07-member-to-member-same-node.ts";
import plainAndMember from "./08-plain-and-member.ts";
import kubeletProbe from "./09-kubelet-probe.ts";
import hostOtherSource from "./10-host-other-source.ts";
import nodeportMasquerade from "./11-nodeport-masquerade.ts";
import nodeportLocal from "./12-nodeport-local.ts";
import memberToNodeIp from "./13-member-to-node-ip.ts";
import selfCall from "./14-self-call.ts";
import udp from "./15-udp.ts";
import icmp from "./16-icmp.ts";
import pmtuLarge from "./17-pmtu-large.ts";
import ipv6Capture from "./18-ipv6-capture.ts";
import dnsCapture from "./19-dns-capture.ts";
import failClosed from "./20-fail-closed.ts";
import enrolRunningPod from "./21-enrol-running-pod.ts";
import unenrol from "./22-unenrol.ts";
import idempotentApply from "./23-idempotent-apply.ts";
import proxyHandover from "./24-proxy-handover.ts";
import proxySameUidNewNetns from "./25-proxy-same-uid-new-netns.ts";
import agentRestart from "./26-agent-restart.ts";
import driftRepair from "./27-drift-repair.ts";
import ipReuse from "./28-ip-reuse.ts";
import coexistence from "./29-coexistence.ts";
import scaleAndExclusion from "./30-scale-and-exclusion.ts";
import xAgentKill9 from "./x-agent-kill-9.ts";
import xBothBackends from "./x-both-backends.ts";
import xDnsNotrack from "./x-dns-notrack.ts";
import xExclusions from "./x-exclusions.ts";
import xExplain from "./x-explain.ts";
import xForeignOkAhead from "./x-foreign-ok-ahead.ts";
import xForeignUnspecAhead from "./x-foreign-unspec-ahead.ts";
import xIcmpErrors from "./x-icmp-errors.ts";
import xLocalDelivery from "./x-local-delivery.ts";
import xProxyOwnPort from "./x-proxy-own-port.ts";
import xProxyProcessRestart from "./x-proxy-process-restart.ts";
import xReuseportProxy from "./x-reuseport-proxy.ts";
import xRpFilterStrict from "./x-rp-filter-strict.ts";
import xSameSourcePort from "./x-same-source-port.ts";
import xServerSpeaksFirst from "./x-server-speaks-first.ts";
import xStaleConnection from "./x-stale-connection.ts";
import xSynCookies from "./x-syn-cookies.ts";
import xTimeWaitReuse from "./x-time-wait-reuse.ts";
import xTimeWaitUnenrolled from "./x-time-wait-unenrolled.ts";
import xUninstall from "./x-uninstall.ts";
import xUnknownAddress from "./x-unknown-address.ts";

/** Every behaviour that is run, in the order of docs/conformance.md. */
export const behaviours = [
  outboundTcp,
  outboundVip,
  proxyDialsService,
  outboundVipLocalAddress,
  inboundPlaintext,
  inboundHbone,
  noHboneConfusion,
  memberToMemberSameNode,
  plainAndMember,
  kubeletProbe,
  hostOtherSource,
  nodeportMasquerade,
  nodeportLocal,
  memberToNodeIp,
  selfCall,
  udp,
  icmp,
  pmtuLarge,
  ipv6Capture,
  dnsCapture,
  failClosed,
  enrolRunningPod,
  unenrol,
  idempotentApply,
  proxyHandover,
  proxySameUidNewNetns,
  agentRestart,
  driftRepair,
  ipReuse,
  coexistence,
  scaleAndExclusion,
  xAgentKill9,
  xBothBackends,
  xDnsNotrack,
  xExclusions,
  xExplain,
  xForeignOkAhead,
  xForeignUnspecAhead,
  xIcmpErrors,
  xLocalDelivery,
  xProxyOwnPort,
  xProxyProcessRestart,
  xReuseportProxy,
  xRpFilterStrict,
  xSameSourcePort,
  xServerSpeaksFirst,
  xStaleConnection,
  xSynCookies,
  xTimeWaitReuse,
  xTimeWaitUnenrolled,
  xUninstall,
  xUnknownAddress,
] as const satisfies readonly Behaviour[];
