{{- /* lineside.toml: what the chart decides, then `settings`. */ -}}
{{- define "lineside.toml" -}}
{{ include "lineside.kafkaToml" . }}
host = "0.0.0.0"
port = 8080
read_tokens = "file:/etc/lineside/read-tokens/tokens"
{{- if .Values.web.metricsTokens.secret }}
metrics_tokens = "file:/etc/lineside/metrics-tokens/tokens"
{{- end }}
data_dir = "/var/lib/lineside"
{{- if .Values.policy }}
policy = "/etc/lineside/settings/policy.toml"
{{- end }}
{{- include "lineside.settingsToml" . }}
{{- end }}

{{- /* The cluster, and how to log in there. */ -}}
{{- define "lineside.kafkaToml" -}}
broker = {{ printf "kafka://%s" (include "lineside.bootstrap" .) | toJson }}
group = {{ toJson .Values.kafka.group }}
broker_security = {{ toJson .Values.kafka.security }}
{{- if include "lineside.caSecret" . }}
broker_ca = "/etc/lineside/broker-ca/ca.crt"
{{- end }}
{{- if include "lineside.passwordSecret" . }}
broker_user = {{ include "lineside.user" . | toJson }}
broker_password = "file:/etc/lineside/broker-password/password"
{{- end }}
{{- if include "lineside.certificateSecret" . }}
broker_certificate = "/etc/lineside/broker-certificate/user.crt"
broker_key = "/etc/lineside/broker-certificate/user.key"
{{- end }}
{{- if eq .Values.kafka.security "plaintext" }}
plaintext_brokers = {{ toJson .Values.kafka.plaintextHosts }}
{{- end }}
{{- end }}

{{- define "lineside.settingsToml" -}}
{{- range $name, $value := .Values.settings }}
{{- if kindIs "map" $value }}
{{ $name }} = { {{- range $i, $key := keys $value | sortAlpha }}{{ if $i }}, {{ end }}{{ toJson $key }} = {{ get $value $key | toJson }}{{ end -}} }
{{- else }}
{{ $name }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- end }}

{{- /* desk.toml: of the desk alone, so that what is changed there leaves the workers as they are. */ -}}
{{- define "lineside.deskToml" -}}
{{- $v := .Values -}}
{{- $own := include "lineside.asDesk" . | fromJson -}}
{{ include "lineside.kafkaToml" $own }}
host = "0.0.0.0"
desk_port = 8081
desk_tokens = "file:/etc/lineside/desk-tokens/tokens"
read_tokens = "file:/etc/lineside/read-tokens/tokens"
database = {{ toJson $v.desk.database.url }}
{{- if $v.desk.database.password.secret }}
database_password = "file:/etc/lineside/database-password/password"
{{- end }}
{{- $workers := ternary $v.autoscaling.max $v.replicas $v.autoscaling.enabled | int }}
desk_workers = [
{{- range $i := until $workers }}{{ if $i }}, {{ end }}"http://{{ include "lineside.name" $ }}-{{ $i }}.{{ include "lineside.name" $ }}-workers:8080"{{ end -}}
]
data_dir = "/var/lib/lineside"
{{- if $v.policy }}
policy = "/etc/lineside/settings/policy.toml"
{{- end }}
{{- include "lineside.settingsToml" . }}
{{- end }}
