"""Malformed messages by the hundred thousand: does the embedded server answer or refuse each of them?"""
