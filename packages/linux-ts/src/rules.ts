import { isDeepStrictEqual } from "node:util";
import { PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import { addressFamily, type Family } from "./ip-address.ts";
import { type Message, NLM_F_CREATE, NLM_F_EXCL } from "./messages.ts";
import { type NetnsFd, whereIs } from "./netns.ts";
import { dump, dumpAsync, type NetlinkRequest, request } from "./request.ts";
import { decodeRule, encodeRule, type Rule, type RuleSpec, ruleHeaderLength, ruleOf } from "./rule-codec.ts";

/** include/uapi/linux/rtnetlink.h. */
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

/** The policy routing rules of one family, in the order in which they are tried. */
export function rules(netns: NetnsFd, family: Family): Rule[] {
  return decodeRules(dump(allRules(netns, family)), family);
}

/** {@link rules} on a thread of libuv's pool: the kernel may read them under rtnetlink's lock, for which many wait where pods are being made. */
export async function rulesAsync(netns: NetnsFd, family: Family): Promise<Rule[]> {
  return decodeRules(await dumpAsync(allRules(netns, family)), family);
}

function allRules(netns: NetnsFd, family: Family): NetlinkRequest {
  const header = new PayloadWriter().struct(ruleHeaderLength, (view) => view.setUint8(0, addressFamily[family]));
  const doing = `listing IPv${family} rules`;
  return { netns, doing, type: RTM_GETRULE, name: "RTM_GETRULE", payload: header.finish() };
}

function decodeRules(messages: Message[], family: Family): Rule[] {
  return messages
    .filter((message) => message.type === RTM_NEWRULE)
    .map((message) => decodeRule(message.payload))
    .filter((rule) => rule !== undefined)
    .filter((rule) => rule.family === family);
}

/** Throws `EEXIST` when there is the same rule already, whatever its protocol. */
export function addRule(netns: NetnsFd, spec: RuleSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  const doing = `adding ${describe(spec)}`;
  request({ netns, doing, type: RTM_NEWRULE, name: "RTM_NEWRULE", flags, payload: encodeRule(ruleOf(spec)) });
}

/**
 * Deletes the rule that addRule() with the same spec makes, and no other. Throws `ENOENT` when there is none.
 *
 * The kernel takes the first rule that has what the request names, whatever else that rule says (rule_find, net/core/fib_rules.c). So
 * the rules are read first, and where another one would be hit nothing is deleted: `ERR_AMBIGUOUS`.
 */
export function deleteRule(netns: NetnsFd, spec: RuleSpec): void {
  const wanted = ruleOf(spec);
  const doing = `deleting ${describe(spec)}`;
  const victims = rules(netns, spec.family).filter((rule) => wouldMatch(wanted, rule));
  const index = victims.findIndex((rule) => isDeepStrictEqual(rule, wanted));
  if (index < 0) {
    const details = { errno: -2, syscall: "recvmsg RTM_GETRULE" };
    throw new LinuxError("ENOENT", `${doing}${whereIs(netns)}: there is no such rule`, details);
  }
  if (index > 0) {
    const reason = "the kernel would take another rule of that priority, which stands before it";
    throw new LinuxError("ERR_AMBIGUOUS", `${doing}${whereIs(netns)}: ${reason}; use a priority of your own`);
  }
  request({ netns, doing, type: RTM_DELRULE, name: "RTM_DELRULE", payload: encodeRule(wanted) });
}

function describe({ family, priority, table, iif, fwmark }: RuleSpec): string {
  const from = iif === undefined ? "" : ` iif ${iif}`;
  const mark = fwmark === undefined ? "" : ` fwmark 0x${fwmark.toString(16)}`;
  return `the IPv${family} rule ${priority}:${from}${mark} lookup ${table}`;
}

/** rule_find as the kernel does it, but for the protocol, which is left out to be on the safe side. */
function wouldMatch(wanted: Rule, rule: Rule): boolean {
  return (
    rule.priority === wanted.priority &&
    rule.action === wanted.action &&
    rule.table === wanted.table &&
    (wanted.iif === undefined || rule.iif === wanted.iif) &&
    (!wanted.fwmark || rule.fwmark === wanted.fwmark) &&
    (!wanted.fwmask || rule.fwmask === wanted.fwmask)
  );
}
