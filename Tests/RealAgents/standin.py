#!/usr/bin/env python3
"""A stand-in for the models of Claude Code and Codex: scripted answers on loopback, chosen by the last `do-…` word of the conversation.

    standin.py PORT LOG

do-plain: a short text. do-shell: a command that asks for approval, then a text. do-slow: a text that takes 30 s. do-fail: HTTP 500.
Each request is a line of LOG: the time in seconds since 1970 and the word.
"""
import fcntl, itertools, json, re, socket, struct, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, LOG = int(sys.argv[1]), sys.argv[2]
TEXT = 'This is a scripted answer, and it says nothing that matters to anybody. '
ids = itertools.count(1)


def raise_loopback():
    """In a network of its own the loopback interface is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            flags = struct.unpack('16sh', fcntl.ioctl(s, 0x8913, struct.pack('16sh', b'lo', 0)))[1]
            fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', flags | 1))
        except OSError:
            pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_): pass

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self): self.answer(200, {})
    def do_GET(self): self.answer(200, {'object': 'list', 'data': [], 'models': []})

    def event(self, value, named=True):
        text = (f"event: {value['type']}\n" if named else '') + 'data: ' + json.dumps(value) + '\n\n'
        self.wfile.write(b'%x\r\n%s\r\n' % (len(text.encode()), text.encode()))
        self.wfile.flush()

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        try:
            body = json.loads(raw)
        except ValueError:
            return self.answer(400, {'error': {'message': 'no JSON'}})
        if 'count_tokens' in self.path:
            return self.answer(200, {'input_tokens': 10})
        tools = {(t.get('function') or t).get('name') or t.get('type') for t in body.get('tools') or []}
        words = re.findall(r'do-(plain|shell|slow|fail)', raw)
        word = words[-1] if words and tools else 'side'
        with open(LOG, 'a') as log:
            log.write(f'{time.time():.6f} {word}\n')
        if word == 'fail':
            return self.answer(500, {'type': 'error', 'error': {'type': 'api_error', 'message': 'the stand-in fails'}})
        conversation = body.get('messages') or body.get('input') or []
        last = json.dumps(conversation[-1]) if conversation else ''
        ran = 'tool_result' in last or 'function_call_output' in last
        tool = None
        if word == 'shell' and not ran:
            command = 'touch it-ran; sleep 2; echo it ran'
            if 'Bash' in tools:
                tool = ('Bash', {'command': command, 'description': 'Run it'})
            elif 'exec_command' in tools:
                tool = ('exec_command', {'cmd': command, 'sandbox_permissions': 'require_escalated', 'justification': 'It must run outside'})
            elif 'shell_command' in tools:
                tool = ('shell_command', {'command': command, 'sandbox_permissions': 'require_escalated', 'justification': 'It must run outside'})
        text = TEXT * (25 if word == 'slow' else 1)
        delay = 0.1 if word == 'slow' else 0.05
        if not body.get('stream'):
            return self.answer(200, {'id': 'msg_1', 'type': 'message', 'role': 'assistant', 'model': body.get('model'), 'stop_reason': 'end_turn', 'stop_sequence': None,
                                     'content': [{'type': 'text', 'text': 'ok'}], 'usage': {'input_tokens': 1, 'output_tokens': 1}})
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        try:
            (self.stream_messages if 'messages' in self.path else self.stream_responses)(body, next(ids), text if word != 'side' else 'ok', delay, tool)
            self.wfile.write(b'0\r\n\r\n')
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def stream_messages(self, body, n, text, delay, tool):
        usage = {'input_tokens': 10, 'output_tokens': 5, 'cache_creation_input_tokens': 0, 'cache_read_input_tokens': 0}
        self.event({'type': 'message_start', 'message': {'id': f'msg_{n}', 'type': 'message', 'role': 'assistant', 'model': body['model'], 'content': [],
                                                        'stop_reason': None, 'stop_sequence': None, 'usage': usage}})
        self.event({'type': 'content_block_start', 'index': 0, 'content_block': {'type': 'text', 'text': ''}})
        for word in re.findall(r'\S+\s*', text):
            self.event({'type': 'content_block_delta', 'index': 0, 'delta': {'type': 'text_delta', 'text': word}})
            time.sleep(delay)
        self.event({'type': 'content_block_stop', 'index': 0})
        if tool:
            self.event({'type': 'content_block_start', 'index': 1, 'content_block': {'type': 'tool_use', 'id': f'toolu_{n}', 'name': tool[0], 'input': {}}})
            self.event({'type': 'content_block_delta', 'index': 1, 'delta': {'type': 'input_json_delta', 'partial_json': json.dumps(tool[1])}})
            self.event({'type': 'content_block_stop', 'index': 1})
        self.event({'type': 'message_delta', 'delta': {'stop_reason': 'tool_use' if tool else 'end_turn', 'stop_sequence': None}, 'usage': {'output_tokens': 9}})
        self.event({'type': 'message_stop'})

    def stream_responses(self, body, n, text, delay, tool):
        item = {'id': f'msg_{n}', 'type': 'message', 'role': 'assistant', 'status': 'in_progress', 'content': []}
        self.event({'type': 'response.created', 'response': {'id': f'resp_{n}', 'object': 'response', 'status': 'in_progress', 'output': []}})
        self.event({'type': 'response.output_item.added', 'output_index': 0, 'item': item})
        for word in re.findall(r'\S+\s*', text):
            self.event({'type': 'response.output_text.delta', 'item_id': item['id'], 'output_index': 0, 'content_index': 0, 'delta': word})
            time.sleep(delay)
        done = dict(item, status='completed', content=[{'type': 'output_text', 'text': text, 'annotations': []}])
        self.event({'type': 'response.output_item.done', 'output_index': 0, 'item': done})
        output = [done]
        if tool:
            call = {'id': f'fc_{n}', 'type': 'function_call', 'status': 'completed', 'call_id': f'call_{n}', 'name': tool[0], 'arguments': json.dumps(tool[1])}
            self.event({'type': 'response.output_item.done', 'output_index': 1, 'item': call})
            output.append(call)
        usage = {'input_tokens': 10, 'input_tokens_details': {'cached_tokens': 0}, 'output_tokens': 5, 'output_tokens_details': {'reasoning_tokens': 0}, 'total_tokens': 15}
        self.event({'type': 'response.completed', 'response': {'id': f'resp_{n}', 'object': 'response', 'status': 'completed', 'output': output, 'usage': usage}})


raise_loopback()
server = ThreadingHTTPServer(('127.0.0.1', PORT), Handler)
server.daemon_threads = True
server.serve_forever()
