{{- /* What the pods of workers and of the desk have in common. */ -}}
{{- define "lineside.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "lineside.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "lineside.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "lineside.kafkaMounts" -}}
{{- if include "lineside.caSecret" . }}
- {name: broker-ca, mountPath: /etc/lineside/broker-ca, readOnly: true}
{{- end }}
{{- if include "lineside.passwordSecret" . }}
- {name: broker-password, mountPath: /etc/lineside/broker-password, readOnly: true}
{{- end }}
{{- if include "lineside.certificateSecret" . }}
- {name: broker-certificate, mountPath: /etc/lineside/broker-certificate, readOnly: true}
{{- end }}
{{- end }}

{{- define "lineside.kafkaVolumes" -}}
{{- with include "lineside.caSecret" . }}
- name: broker-ca
  secret:
    secretName: {{ . }}
    items:
      - {key: {{ $.Values.kafka.ca.key }}, path: ca.crt}
{{- end }}
{{- with include "lineside.passwordSecret" . }}
- name: broker-password
  secret:
    secretName: {{ . }}
    items:
      - {key: {{ $.Values.kafka.password.key }}, path: password}
{{- end }}
{{- with include "lineside.certificateSecret" . }}
- name: broker-certificate
  secret:
    secretName: {{ . }}
    items:
      - {key: {{ $.Values.kafka.certificate.certificateKey }}, path: user.crt}
      - {key: {{ $.Values.kafka.certificate.privateKeyKey }}, path: user.key}
{{- end }}
{{- end }}

{{- define "lineside.nodes" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The values as the desk's pods have them: with the desk's own login at the brokers, if it has one. */ -}}
{{- define "lineside.asDesk" -}}
{{- $values := deepCopy .Values -}}
{{- $user := .Values.desk.user -}}
{{- $secret := .Values.desk.secret -}}
{{- if and (not $user) (not $secret) (include "lineside.strimziUser" .) -}}
{{- $user = printf "%s-desk" (include "lineside.name" .) -}}
{{- $secret = $user -}}
{{- end -}}
{{- with $user }}{{ $_ := set $values.kafka "user" . }}{{ end -}}
{{- with $secret }}{{ $_ := set $values.kafka.password "secret" . }}{{ $_ := set $values.kafka.certificate "secret" . }}{{ end -}}
{{ dict "Values" $values "Release" (dict "Name" .Release.Name "Namespace" .Release.Namespace) | toJson }}
{{- end }}
