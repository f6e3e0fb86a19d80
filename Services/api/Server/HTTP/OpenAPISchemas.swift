/// The shapes of bodies and answers.
enum OpenAPISchemas {
    private static let string: JSONValue = ["type": "string"]
    private static let integer: JSONValue = ["type": "integer"]
    private static let boolean: JSONValue = ["type": "boolean"]
    private static let time: JSONValue = ["type": "string", "format": "date-time"]

    private static func object(_ properties: [String: JSONValue], required: [String] = []) -> JSONValue {
        var schema: [String: JSONValue] = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { schema["required"] = .array(required.map { .string($0) }) }
        return .object(schema)
    }

    private static func list(_ element: JSONValue) -> JSONValue { ["type": "array", "items": element] }
    private static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/" + name)] }

    static let all: [String: JSONValue] = [
        "Error": object(["error": object(["code": string, "message": string], required: ["code", "message"])], required: ["error"]),
        "Session": object(["name": string, "role": ["type": "string", "enum": ["viewer", "operator", "admin"]]], required: ["name", "role"]),
        "SignIn": object(["token": string], required: ["token"]),
        "Me": object(
            [
                "name": string, "author": string, "role": ["type": "string", "enum": ["viewer", "operator", "admin", "agent"]], "pod": string,
                "credential": string, "pods": list(string), "expires": time,
            ], required: ["name", "author", "role"]),
        "Credential": object(
            [
                "id": string, "name": string, "role": ["type": "string", "enum": ["viewer", "operator", "admin"]],
                "state": ["type": "string", "enum": ["active", "expired", "revoked"]], "source": ["type": "string", "enum": ["registry", "file"]],
                "pods": list(string), "note": string, "created": time, "created_by": string, "expires": time, "revoked": time, "revoked_by": string,
            ], required: ["id", "name", "role", "state", "source"]),
        "CredentialPage": object(["credentials": list(reference("Credential"))], required: ["credentials"]),
        "NewCredential": object(
            [
                "name": string, "role": ["type": "string", "enum": ["viewer", "operator", "admin"]], "pods": list(string), "note": string,
                "expires": time, "expires_in": ["type": "integer", "minimum": 1, "maximum": 315_360_000],
            ], required: ["name", "role"]),
        "IssuedCredential": object(["token": string, "credential": reference("Credential")], required: ["token", "credential"]),
        "AuditEntry": object(
            [
                "id": string, "time": time, "actor": string, "credential": string, "address": string, "action": string, "target": string,
                "outcome": ["type": "string", "enum": ["done", "denied", "failed"]], "code": string, "repeats": integer, "detail": string,
            ], required: ["id", "time", "actor", "address", "action", "outcome"]),
        "AuditPage": object([
            "records": list(object(["seq": integer, "entry": reference("AuditEntry"), "digest": string], required: ["seq", "entry", "digest"])),
            "next": integer,
        ]),
        "Verified": object(
            [
                "ok": boolean, "segments": integer, "frames": integer, "first_seq": integer, "last_seq": integer, "problem": string, "head": string,
            ], required: ["ok", "segments", "frames", "head"]),
        "AuditVerified": object(
            ["intact": boolean, "entries": integer, "head": string, "seq": integer, "problem": string], required: ["intact", "entries", "head"]),
        "SignedOut": object(["signed_out": boolean]),
        "PodSpec": object(
            [
                "name": string, "agent": string, "command": list(string), "cwd": string,
                "env": ["type": "object", "additionalProperties": string], "columns": integer, "rows": integer, "worktree": string,
                "prompt": string, "runner": string, "spool_cap_bytes": integer, "on_full": ["type": "string", "enum": ["hold", "drop"]],
                "redact": ["type": "string", "enum": ["record"]],
            ]),
        "Pod": object(
            [
                "pod": string, "name": string, "agent": string, "runner": string, "spec": reference("PodSpec"),
                "lifecycle": ["type": "string", "enum": ["starting", "running", "exited", "crashed", "lost", "ended"]], "reason": string,
                "exit": reference("Exit"), "pid": integer, "created": time, "started": time, "exited": time, "ended": time,
                "columns": integer, "rows": integer, "worktree_path": string, "resumed_from": string, "resumed_by": string,
                "imported": boolean, "status": reference("Status"),
            ], required: ["pod", "name", "spec", "lifecycle", "created", "columns", "rows", "imported"]),
        "Exit": [
            "type": "object", "description": "How a process ended; one of the members is there.",
            "properties": ["code": integer, "signal": integer, "lost": string],
        ],
        "Status": object(
            [
                "status": ["type": "string", "enum": ["executing", "waiting", "idle", "unknown"]], "reason": string, "since": time, "seq": integer,
                "evidence": string, "confidence": ["type": "number", "minimum": 0, "maximum": 1], "question": string, "about": string, "options": list(string),
                "fingerprint": string, "background": integer, "retry": string, "agent": string, "drift": boolean,
            ], required: ["status", "since", "seq"]),
        "Explanation": object(
            [
                "pod": string, "at": time, "status": reference("Status"), "agent": string, "manifest_version": string, "manifest_source": string,
                "evidence": list(
                    object([
                        "status": string, "reason": string, "source": string, "rule": string, "region": string, "text": string, "since": time,
                        "seen": time, "until": time, "rank": integer, "outcome": string,
                    ])), "regions": list(object(["name": string, "first": integer, "last": integer, "text": list(string)])),
                "notes": list(string), "history": list(reference("Status")),
            ], required: ["at", "status", "evidence", "regions", "notes"]),
        "Agents": object([
            "agents": list(
                object([
                    "name": string, "title": string, "aliases": list(string), "version": string, "agent_versions": string, "source": string,
                    "origin": string, "rules": integer, "has_hooks": boolean, "problem": string,
                ])), "problems": list(string),
        ]),
        "PodPage": object(["pods": list(reference("Pod")), "next": string], required: ["pods"]),
        "PodHistory": object([
            "entries": list(object(["what": string, "value": string, "reason": string, "from": time, "to": time, "seq": integer, "evidence": string]))
        ]),
        "Runner": object([
            "runner": string, "host": string, "version": string, "state": string, "last_beat": time, "first_seen": time,
            "clock_offset": integer, "pods": integer,
        ]),
        "RunnerList": object(["runners": list(reference("Runner"))]),
        "Input": object([
            "text": string, "bytes_b64": string, "submit": boolean, "paste": boolean, "if_seq": integer, "if_status": string,
            "take": boolean, "keep_draft": boolean,
        ]),
        "Approval": object(["fingerprint": string, "option": integer, "reject": boolean], required: ["fingerprint"]),
        "Applied": object(
            [
                "result": [
                    "type": "string",
                    "enum": ["applied", "denied", "busy", "approval_open", "screen_changed", "draft_present", "gone"],
                ], "seq": integer, "message": string, "took_effect": boolean,
            ], required: ["result"]),
        "Size": object(["columns": integer, "rows": integer], required: ["columns", "rows"]),
        "Signal": object(["signal": string], required: ["signal"]),
        "Marker": object(["text": string], required: ["text"]),
        "Stop": object(["grace_ms": integer]),
        "Done": object([:]),
        "Screen": object([
            "pod": string, "seq": integer, "time": time, "columns": integer, "rows": integer, "screen": list(string),
            "cursor": ["type": "array", "items": integer, "minItems": 2, "maxItems": 2], "visible": boolean, "title": string,
            "alternate": boolean, "history": list(string), "cells": list(list(list([:]))),
        ]),
        "Timeline": object([
            "first": time, "last": time, "live": boolean,
            "entries": list(object(["seq": integer, "time": time, "what": string, "author": string, "text": string])),
            "idle": list(object(["from": time, "to": time])), "density": list(integer),
        ]),
        "SearchPage": object([
            "hits": list(object(["pod": string, "line": string, "row": integer, "from": time, "to": time, "seq": integer])),
            "next": string,
        ]),
        "Ready": object(["ready": boolean, "checks": ["type": "object", "additionalProperties": string]]),
        "Scopes": ["type": "array", "items": ["type": "string", "enum": ["terminal:read", "terminal:write", "terminal:approve"]]],
        "Binding": object(
            [
                "id": string, "from": string, "to": string, "state": ["type": "string", "enum": ["pending", "active", "inactive"]],
                "reason": ["type": "string", "enum": ["rejected", "revoked", "expired", "pod_ended", "superseded"]],
                "requested": reference("Scopes"), "granted": reference("Scopes"), "pending": reference("Scopes"), "requested_by": string,
                "note": string, "decided_by": string, "answer": string, "created": time, "since": time, "expires": time, "asks_person": boolean,
            ], required: ["id", "from", "to", "state", "requested", "granted", "pending", "requested_by", "created", "since"]),
        "BindingPage": object(["bindings": list(reference("Binding"))], required: ["bindings"]),
        "BindingRequest": object(["from": string, "to": string, "scopes": reference("Scopes"), "note": string], required: ["to", "scopes"]),
        "BindingDecision": object(["scopes": reference("Scopes"), "reason": string]),
        "BindingPolicy": object(["pod": string, "policy": ["type": "string", "enum": ["explicit", "same_owner_auto", "ask_person"]]]),
        "Wait": object(
            [
                "id": string, "waiter": string, "mode": ["type": "string", "enum": ["any", "all"]], "until": string, "text": string,
                "turn": integer, "detached": boolean, "created": time, "deadline": time, "ended": time,
                "outcome": ["type": "string", "enum": ["matched", "gone", "timed_out", "cancelled"]],
                "targets": list(
                    object(
                        [
                            "pod": string, "binding": string, "message": string, "person": string, "turn_began": boolean,
                            "seen": object([
                                "matches": boolean, "status": string, "reason": string, "lifecycle": string, "binding": string, "text": string,
                                "message": string, "time": time, "seq": integer,
                            ]),
                        ])),
            ], required: ["id", "waiter", "targets", "mode", "until", "created", "deadline"]),
        "WaitPage": object(["waits": list(reference("Wait"))], required: ["waits"]),
        "WaitRequest": object([
            "pods": list(string), "bindings": list(string), "messages": list(string), "mode": ["type": "string", "enum": ["any", "all"]],
            "until": ["type": "string", "enum": ["idle", "waiting", "executing", "ended", "binding", "text", "reply"]], "text": string,
            "turn": integer, "detached": boolean, "timeout_ms": integer,
        ]),
        "Channel": object(
            [
                "id": string, "name": string, "created": time, "created_by": string,
                "members": list(object(["who": string, "name": string, "joined": time, "read": integer, "read_at": time])),
            ], required: ["id", "name", "created", "created_by", "members"]),
        "ChannelPage": object(["channels": list(reference("Channel"))], required: ["channels"]),
        "NewChannel": object(["name": string, "members": list(string)], required: ["name"]),
        "ChannelMember": object(["member": string]),
        "ReadMark": object(["through": integer]),
        "Message": object(
            [
                "id": string, "channel": string, "channel_name": string, "number": integer, "author": string, "author_name": string, "text": string,
                "created": time, "mentions": list(string), "unknown": list(string), "asks": boolean, "reply_to": string, "hops": integer,
                "deliveries": list(
                    object([
                        "member": string, "name": string, "state": ["type": "string", "enum": ["queued", "delivered", "read", "acknowledged", "dead"]],
                        "since": time, "delivered": time, "read": time, "acknowledged": time, "seq": integer,
                        "reason": ["type": "string", "enum": ["pod_ended", "expired", "left", "loop", "denied"]], "note": string,
                    ])),
                "answers": list(object(["by": string, "message": string, "time": time])), "closed": time, "readers": list(string),
            ],
            required: [
                "id", "channel", "channel_name", "number", "author", "author_name", "text", "created", "mentions", "hops", "deliveries", "answers",
            ]),
        "MessagePage": object(["messages": list(reference("Message")), "more": boolean], required: ["messages", "more"]),
        "NewMessage": object(["text": string, "asks": boolean, "reply_to": string], required: ["text"]),
        "Topology": object(
            [
                "at": time, "seq": integer,
                "nodes": list(
                    object([
                        "pod": string, "name": string, "runner": string, "agent": string, "lifecycle": string, "status": string, "reason": string,
                        "since": time, "resumed_from": string, "blocks": integer, "blocks_directly": integer, "blocked_by": list(string),
                    ])),
                "edges": list(
                    object([
                        "kind": ["type": "string", "enum": ["binding", "wait", "resume"]], "id": string, "from": string, "to": string,
                        "state": string, "granted": reference("Scopes"), "pending": reference("Scopes"), "why": string, "since": time,
                        "deadline": time,
                    ])),
                "channels": list(object(["id": string, "name": string, "members": list(string), "questions": integer])),
                "runners": list(reference("Runner")), "cycles": list(list(string)),
                "roots": list(object(["pod": string, "person": string, "frees": integer, "blocks": integer])), "standstill": boolean,
            ], required: ["at", "seq", "nodes", "edges", "channels", "runners", "cycles", "roots", "standstill"]),
        "Attention": object(
            [
                "id": string, "kind": string, "subject": string, "pod": string, "path": list(string), "summary": string,
                "status": reference("Status"), "opened": time, "closed": time, "resolution": string, "blocks": integer, "frees": integer,
            ], required: ["id", "kind", "subject", "summary", "opened"]),
        "AttentionPage": object(["items": list(reference("Attention"))], required: ["items"]),
        "Webhook": object(
            [
                "id": string, "url": string, "format": ["type": "string", "enum": ["json", "text"]], "kinds": list(string), "is_signed": boolean,
                "author": string, "created": time, "last_post": time, "last_problem": string, "waiting": integer,
            ], required: ["id", "url", "format", "is_signed", "author", "created", "waiting"]),
        "WebhookPage": object(["webhooks": list(reference("Webhook"))], required: ["webhooks"]),
        "WebhookRequest": object(
            ["url": string, "format": ["type": "string", "enum": ["json", "text"]], "secret": string, "kinds": list(string)], required: ["url"]),
        "Recording": [
            "description": "JSON Lines: one object per frame.", "type": "string",
        ],
    ]
}
