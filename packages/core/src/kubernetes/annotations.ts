/** Annotations of a pod that membership looks at. */
export const ANNOTATIONS = {
  /** Set by Istio's sidecar injector: the pod has a proxy of its own. */
  sidecar: "sidecar.istio.io/status",
  /** `disabled` keeps a pod out (Istio ambient 1.18-1.20). */
  ambientRedirection: "ambient.istio.io/redirection",
  /** The same, under our own name. */
  redirection: "millrace.dev/redirection",
} as const;

/** The value of the two redirection annotations that keeps a pod out. */
export const REDIRECTION_DISABLED = "disabled";
