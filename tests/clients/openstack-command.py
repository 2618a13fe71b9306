#!/usr/bin/python3 -S
"""Debian's openstack client, imported once: each command runs in a fork of this process, on the caller's own files.

Started with a socket's path, it serves; started as `openstack` it hands its arguments, environment and files to that
socket and ends with the status it is told. The client itself is unmodified; only its slow start is paid once.
"""
import array
import json
import os
import socket
import sys


def ask(path):
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(path)
    files = array.array("i", [0, 1, 2])
    request = {"args": sys.argv[1:], "cwd": os.getcwd()}
    request["env"] = {name: value for name, value in os.environ.items() if name.startswith("OS_")}
    channel.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    channel.sendall(json.dumps(request).encode())
    channel.shutdown(socket.SHUT_WR)
    status = channel.recv(16)
    sys.exit(int(status or b"1"))


def answer(connection):
    _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(3 * 4))
    files = array.array("i")
    files.frombytes(ancillary[0][2])
    with connection.makefile("rb") as stream:
        request = json.load(stream)
    child = os.fork()
    if child == 0:
        for target, source in enumerate(files):
            os.dup2(source, target)
        status = 1
        try:
            for name in [name for name in os.environ if name.startswith("OS_")]:
                del os.environ[name]
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            sys.argv = ["openstack", *request["args"]]
            status = openstackclient.shell.main(request["args"]) or 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for descriptor in files:
        os.close(descriptor)
    _, ended = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(ended)).encode())
    connection.close()


if os.environ.get("OPENSTACK_SOCKET") and os.path.basename(sys.argv[0]) == "openstack":
    ask(os.environ["OPENSTACK_SOCKET"])

import openstackclient.shell  # noqa: E402  what the whole file is for: once

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
while True:
    answer(listener.accept()[0])
