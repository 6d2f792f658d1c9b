import type { Palette } from "../cli/colour.ts";
import type { ExplanationDocument, FlowDocument } from "./explanation-document.ts";
import type { Decision, LastEvents } from "./last-events.ts";

/** What is known of the pod, the events that it rests on, what the packet meets, and what becomes of it. */
export function renderExplanation(
  document: ExplanationDocument,
  { events, decisions, unread }: LastEvents,
  palette: Palette,
): string {
  const { pod, membership, reason, outcome, backend, flow, explanation, unexplained } = document;
  const word = membership === "member" ? palette.good("member") : palette.warn(membership.replace("-", " "));
  const lines = [
    `${palette.bold(`${pod.namespace}/${pod.name}`)} ${palette.dim(pod.uid)}: ${word}${reason === undefined ? "" : `, ${reason}`}`,
    ...(outcome === undefined ? [] : [`  backend: ${outcome}`]),
    ...events.map(({ seq, time, type, subject }) => `  ${palette.dim(`event ${seq} ${time}`)} ${type} ${subject}`),
    ...decisions.map((decision) => `  ${decided(decision)}`),
    ...(unread === undefined ? [] : [`  ${palette.warn("events not read:")} ${unread}`]),
    ...(flow === undefined ? [] : ["", palette.bold(flowText(flow))]),
    ...(explanation?.steps ?? []).map(({ object, does }, index) => `  ${index + 1}. ${object}: ${does}`),
    ...(explanation?.problems ?? []).map((problem) => `  ${palette.warn("but")} ${problem}`),
    ...(unexplained === undefined ? [] : [palette.warn(`not explained: ${unexplained}`)]),
    ...(explanation === undefined ? [] : [verdict(explanation, backend, palette)]),
  ];
  return `${lines.join("\n")}\n`;
}

/** `decided by event 8: apply workload/uid-web, because of event 7 pod.observed pod/uid-web`. */
function decided({ intent, cause }: Decision): string {
  const { seq, subject, data } = intent;
  const because = cause === undefined ? `event ${data.cause}` : `event ${cause.seq} ${cause.type} ${cause.subject}`;
  return `decided by event ${seq}: ${data.action} ${subject}, because of ${because}`;
}

function flowText({ protocol, direction, address, peer, port }: FlowDocument): string {
  const at = (host: string) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
  const [from, to] = direction === "outbound" ? [address, at(peer)] : [peer, at(address)];
  return `${protocol === "tcp" ? "TCP" : "UDP"} from ${from} to ${to}`;
}

function verdict(
  { fate, to, problems }: NonNullable<ExplanationDocument["explanation"]>,
  backend: string | undefined,
  palette: Palette,
): string {
  const paint = fate === "captured" ? palette.good : fate === "dropped" ? palette.bad : palette.warn;
  const where = to === undefined ? "" : ` by ${to.proxy}, port ${to.port}`;
  const doubt = problems.length === 0 ? "" : ", as far as the kernel is as it should be";
  return `${paint(fate)}${where} (${backend ?? "no backend"}${doubt})`;
}
