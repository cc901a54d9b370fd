#!/usr/bin/env python3
"""ctrace.h for Python: the functions are looked up once; where there is no ctrace nothing happens."""
import contextlib
import ctypes
import threading
import time


class Calls(ctypes.Structure):
    _fields_ = [
        ("bytes", ctypes.c_uint64),
        ("region_begin", ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_char_p)),
        ("region_end", ctypes.CFUNCTYPE(None, ctypes.c_char_p)),
        ("task_begin", ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint64)),
        ("task_end", ctypes.CFUNCTYPE(None, ctypes.c_uint64)),
        ("log", ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_char_p)),
    ]


try:
    calls = Calls.in_dll(ctypes.CDLL(None), "ctrace_calls_v1")
except ValueError:
    calls = None


@contextlib.contextmanager
def region(name, task=0):
    if not calls:
        yield
        return
    name = name.encode()
    calls.region_begin(task, name)
    try:
        yield
    finally:
        calls.region_end(name)


@contextlib.contextmanager
def task(name, parent=0):
    number = calls.task_begin(name.encode(), parent) if calls else 0
    try:
        yield number
    finally:
        if calls:
            calls.task_end(number)


def log(category, message, task=0):
    if calls:
        calls.log(task, category.encode(), message.encode())


def serve(number, of):
    with region("serve", of):
        time.sleep(0.002)
        log("serve", f"request {number}")


with region("main"):
    for i in range(5):
        with task("request") as number:
            worker = threading.Thread(target=serve, args=(i, number))
            worker.start()
            worker.join()
