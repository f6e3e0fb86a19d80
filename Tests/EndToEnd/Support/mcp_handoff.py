"""A handoff between two pods by the public Python client of MCP: request, accept, send, wait, read.

Arguments: the command's path, the API's address, the credential of the pod that asks and of the pod that is asked, its name.
"""
import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

program, address, asker, asked, name = sys.argv[1:6]

TOOLS = {
    "list_pods", "get_pod_status", "get_pod_screen", "search_history", "send_pod_input", "create_pod", "resume_pod", "bind_pod",
    "accept_binding", "reject_binding", "unbind_pod", "get_bindings", "wait_for", "get_topology",
}


def server(credential):
    pod = credential.split("_")[1]
    return StdioServerParameters(
        command=program, args=["mcp"], env={"SWITCHBACK_URL": address, "SWITCHBACK_TOKEN": credential, "SWITCHBACK_POD": pod})


def field(value, *names):
    """Releases of the client name the same field differently."""
    return next(getattr(value, name) for name in names if hasattr(value, name))


def is_error(result):
    return bool(field(result, "isError", "is_error"))


async def call(session, tool, fails=False, **arguments):
    result = await session.call_tool(tool, arguments)
    text = result.content[0].text
    assert is_error(result) == fails, f"{tool}: {text}"
    return text if fails else json.loads(text)


async def main():
    async with stdio_client(server(asker)) as streams, stdio_client(server(asked)) as others:
        async with ClientSession(*streams) as reviewer, ClientSession(*others) as builder:
            hello = await reviewer.initialize()
            await builder.initialize()
            assert field(hello, "serverInfo", "server_info").name == "switchback", hello
            tools = (await reviewer.list_tools()).tools
            assert TOOLS <= {tool.name for tool in tools}, tools
            assert all(field(tool, "inputSchema", "input_schema")["type"] == "object" and tool.description for tool in tools)
            pods = (await call(reviewer, "list_pods"))["pods"]
            assert [pod["you"] for pod in pods].count(True) == 1, pods

            assert "denied" in await call(reviewer, "get_pod_screen", fails=True, pod=name)
            assert "denied" in await call(reviewer, "send_pod_input", fails=True, pod=name, text="no")
            binding = await call(
                reviewer, "bind_pod", pod=name, scopes=["terminal:read", "terminal:write"], note="need your test output")
            assert binding["state"] == "pending", binding
            waiting = await call(reviewer, "wait_for", bindings=[binding["id"]], hold_seconds=0)
            assert "outcome" not in waiting, waiting
            assert binding["id"] in [b["id"] for b in (await call(builder, "get_bindings"))["bindings"]]
            await call(builder, "accept_binding", binding=binding["id"])
            ended = await call(reviewer, "wait_for", wait=waiting["id"])
            assert ended["outcome"] == "matched", ended

            for _ in range(100):
                result = await reviewer.call_tool("send_pod_input", {"pod": name, "text": "run the tests again"})
                if not is_error(result):
                    break
                await asyncio.sleep(0.05)
            assert not is_error(result), result
            sent = json.loads(result.content[0].text)
            assert sent["result"] == "applied", sent
            idle = await call(reviewer, "wait_for", pods=[name], until="idle", timeout_seconds=20)
            assert idle["outcome"] == "matched", idle
            screen = await call(reviewer, "get_pod_screen", pod=name)
            assert "run the tests again" in screen["screen"], screen
            topology = await call(reviewer, "get_topology")
            assert any(edge.get("id") == binding["id"] for edge in topology["edges"]), topology
            await call(builder, "unbind_pod", binding=binding["id"], reason="done")
            print("handed over", binding["id"])


asyncio.run(main())
