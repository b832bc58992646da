{{- /* The release's objects have its name, or `name`. */ -}}
{{- define "lineside.name" -}}
{{ .Values.name | default .Release.Name | trunc 42 | trimSuffix "-" }}
{{- end }}

{{- define "lineside.selector" -}}
app.kubernetes.io/name: lineside
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Of the desk's pods: the workers' selector doesn't find them. */ -}}
{{- define "lineside.deskSelector" -}}
app.kubernetes.io/name: lineside-desk
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lineside.labels" -}}
{{ include "lineside.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "lineside.metadata" -}}
name: {{ include "lineside.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "lineside.labels" . | nindent 2 }}
{{- end }}

{{- define "lineside.deskMetadata" -}}
name: {{ include "lineside.name" . }}-desk
namespace: {{ .Release.Namespace }}
labels:
  {{- include "lineside.labels" . | nindent 2 }}
{{- end }}

{{- /* By what Prometheus and Grafana find an object. */ -}}
{{- define "lineside.found" -}}
{{- include "lineside.metadata" . }}
{{- with .Values.metrics.labels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lineside.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}
