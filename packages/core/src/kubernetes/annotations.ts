/** Annotations of a pod that decisions look at. */
export const ANNOTATIONS = {
  /** Set by Istio's sidecar injector: the pod has a proxy of its own. */
  sidecar: "sidecar.istio.io/status",
  /** `disabled` keeps a pod out (Istio ambient 1.18-1.20). */
  ambientRedirection: "ambient.istio.io/redirection",
  /** The same, under our own name. */
  redirection: "millrace.dev/redirection",
  /** `true` or `false`: whether the pod's DNS goes to the proxy, whatever the node's `dnsCapture` says (Istio ambient). */
  ambientDnsCapture: "ambient.istio.io/dns-capture",
  /** The same, under our own name; it wins over Istio's. */
  dnsCapture: "millrace.dev/dns-capture",
  /** `sockmap`: what the pod and the proxy send each other may go from socket to socket, where the node's backend has that; `off`: it may not. */
  acceleration: "millrace.dev/acceleration",
  /** TCP ports that the pod reaches without the proxy, with commas between them. */
  excludeOutboundPorts: "millrace.dev/exclude-outbound-ports",
  /** Networks that the pod reaches without the proxy: `198.18.0.0/15,2001:2::/48`; an address alone is a network of one. */
  excludeOutboundCidrs: "millrace.dev/exclude-outbound-cidrs",
  /** TCP ports of the pod that are reached without the proxy. */
  excludeInboundPorts: "millrace.dev/exclude-inbound-ports",
  /** Networks from which the pod is reached without the proxy. */
  excludeInboundCidrs: "millrace.dev/exclude-inbound-cidrs",
} as const;

/** The value of the two redirection annotations that keeps a pod out. */
export const REDIRECTION_DISABLED = "disabled";
