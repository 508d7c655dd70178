"""Signs with Ed25519 keys of a PKCS#11 token, for signer/pkcs11.ts and `cordonctl keys token`: python3 pkcs11.py MODULE TOKEN-LABEL

The first line of standard input is the user PIN, empty for none. Each line after it is a request, `sign ID BASE64` or `public ID`, ID being CKA_ID in hex; the answer
is one line, `ok BASE64` or `error WHY`. Python's own library alone: no binding of PKCS#11 for Node installs without a compiler, and OpenSC's pkcs11-tool signs no more
than 1,024 bytes with EDDSA. A process of its own also keeps a vendor's library out of the signer.
"""
import base64
import ctypes
import sys

EDDSA, PUBLIC, PRIVATE = 0x1057, 2, 3
CLASS, ID, EC_POINT = 0x0, 0x102, 0x181
USER, SERIAL_SESSION = 1, 4
Ulong = ctypes.c_ulong
# Places in CK_FUNCTION_LIST, version 2.
INITIALIZE, SLOTS, TOKEN_INFO, OPEN, LOGIN, ATTRIBUTE, FIND_INIT, FIND, FIND_FINAL, SIGN_INIT, SIGN = 0, 4, 6, 12, 18, 24, 26, 27, 28, 42, 43


class Attribute(ctypes.Structure):
    _fields_ = [("type", Ulong), ("value", ctypes.c_void_p), ("length", Ulong)]


class Mechanism(ctypes.Structure):
    _fields_ = [("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("length", Ulong)]


class FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * 68)]


class Refusal(Exception):
    pass


class Token:
    def __init__(self, module, label, pin):
        self.library = ctypes.CDLL(module)
        table = ctypes.POINTER(FunctionList)()
        self.check("C_GetFunctionList", self.library.C_GetFunctionList(ctypes.byref(table)))
        self.functions = table.contents.functions
        self.call("C_Initialize", INITIALIZE, None)
        self.session = Ulong()
        self.call("C_OpenSession", OPEN, Ulong(self.slot(label)), Ulong(SERIAL_SESSION), None, None, ctypes.byref(self.session))
        if pin:
            self.call("C_Login", LOGIN, self.session, Ulong(USER), pin, Ulong(len(pin)))

    def check(self, name, code):
        if code != 0:
            raise Refusal("%s gave 0x%x" % (name, code))

    def call(self, name, place, *arguments):
        self.check(name, ctypes.CFUNCTYPE(Ulong)(self.functions[place])(*arguments))

    def slot(self, label):
        count = Ulong()
        self.call("C_GetSlotList", SLOTS, ctypes.c_ubyte(1), None, ctypes.byref(count))
        slots = (Ulong * count.value)()
        self.call("C_GetSlotList", SLOTS, ctypes.c_ubyte(1), slots, ctypes.byref(count))
        info = ctypes.create_string_buffer(1024)
        for slot in slots:
            self.call("C_GetTokenInfo", TOKEN_INFO, Ulong(slot), info)
            if info.raw[:32].decode("utf-8", "replace").rstrip() == label:
                return slot
        raise Refusal("no token is called %s" % label)

    def find(self, kind, key):
        kind = Ulong(kind)
        identity = ctypes.create_string_buffer(key, len(key))
        template = (Attribute * 2)(
            Attribute(CLASS, ctypes.cast(ctypes.byref(kind), ctypes.c_void_p), ctypes.sizeof(kind)),
            Attribute(ID, ctypes.cast(identity, ctypes.c_void_p), len(key)),
        )
        self.call("C_FindObjectsInit", FIND_INIT, self.session, template, Ulong(2))
        found, count = (Ulong * 2)(), Ulong()
        self.call("C_FindObjects", FIND, self.session, found, Ulong(2), ctypes.byref(count))
        self.call("C_FindObjectsFinal", FIND_FINAL, self.session)
        if count.value != 1:
            raise Refusal("%d keys have the id %s" % (count.value, key.hex()))
        return Ulong(found[0])

    def sign(self, key, data):
        mechanism = Mechanism(EDDSA, None, 0)
        self.call("C_SignInit", SIGN_INIT, self.session, ctypes.byref(mechanism), self.find(PRIVATE, key))
        signature, length = ctypes.create_string_buffer(256), Ulong(256)
        self.call("C_Sign", SIGN, self.session, data, Ulong(len(data)), signature, ctypes.byref(length))
        return signature.raw[: length.value]

    def public(self, key):
        value = ctypes.create_string_buffer(256)
        template = (Attribute * 1)(Attribute(EC_POINT, ctypes.cast(value, ctypes.c_void_p), 256))
        self.call("C_GetAttributeValue", ATTRIBUTE, self.session, self.find(PUBLIC, key), template, Ulong(1))
        # An OCTET STRING around the point, or the point alone: the last 32 bytes either way.
        return value.raw[: template[0].length][-32:]

    def answer(self, words):
        if len(words) == 3 and words[0] == "sign":
            return self.sign(bytes.fromhex(words[1]), base64.b64decode(words[2]))
        if len(words) == 2 and words[0] == "public":
            return self.public(bytes.fromhex(words[1]))
        raise Refusal("not a request")


def main():
    say = lambda line: print(line, flush=True)
    pin = sys.stdin.readline().rstrip("\n").encode()
    try:
        token = Token(sys.argv[1], sys.argv[2], pin)
    except (Refusal, OSError) as error:
        return say("error %s" % error)
    say("ok")
    for line in sys.stdin:
        try:
            say("ok %s" % base64.b64encode(token.answer(line.split())).decode())
        except (Refusal, ValueError) as error:
            say("error %s" % error)


main()
