{{/*
Fixed, whatever the release is called: a cluster has one, and the CNI plugin lets the pods through whose names begin like this
when no agent answers (docs/installing.md).
*/}}
{{- define "millrace.agent" -}}millrace-agent{{- end -}}

{{- define "millrace.nodeProxy" -}}millrace-node-proxy{{- end -}}

{{/* Names of cluster-wide objects tell releases in different namespaces apart. */}}
{{- define "millrace.clusterAgent" -}}{{ include "millrace.agent" . }}-{{ .Release.Namespace }}{{- end -}}

{{/* Labels that select: they must not change from one version to the next. Call with (dict "name" … "root" $). */}}
{{- define "millrace.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selectorLabels" . }}
app.kubernetes.io/part-of: millrace
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Call with (dict "image" … "default" tag). */}}
{{- define "millrace.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .default }}
{{- end -}}
{{- end -}}

{{/* Port of /healthz, /readyz and /metrics: the agent's default. */}}
{{- define "millrace.httpPort" -}}15090{{- end -}}
