"""Speaks as much of CoppeliaSim's remote API (protocol 2) as the probe asks; arguments: PORT [VERSION]."""

import sys
import time

import cbor2
import zmq

CONSTANTS = {"simulation_stopped": 0, "intparam_program_version": 1, "handle_scene": -12}
STEP_S = 0.05


class Scene:
    """One arm, one simulation; methods are named as in the API."""

    def __init__(self, version):
        self.version, self.state, self.stepping, self.time = version, 0, 0, 0.0
        self.objects, self.drawn = {"/Mico": 1, "/Floor": 2}, {}

    def getInt32Param(self, parameter):
        return [self.version]

    def getSimulationState(self):
        return [self.state]

    def getSimulationTime(self):
        return [self.time]

    def setStepping(self, on):
        before, self.stepping = self.stepping, self.stepping + (1 if on else -1)
        return [before]

    def startSimulation(self):
        if not self.stepping:
            raise ValueError("the stand-in only steps")
        self.state, self.time = 17, 0.0
        return []

    def step(self):
        self.time += STEP_S
        return []

    def stopSimulation(self, wait=False):
        self.state = self.stepping = 0
        return []

    def getObject(self, path, options=None):
        if path not in self.objects and not (options or {}).get("noError"):
            raise ValueError("object does not exist.")
        return [self.objects.get(path, -1)]

    def getObjectsInTree(self, base):
        return [sorted(self.objects.values())]

    def createVisionSensor(self, options, integers, floats):
        handle = max(self.objects.values()) + 1
        self.objects["/visionSensor"], self.drawn[handle] = handle, None
        self.size = integers[:2]
        return [handle]

    def handleVisionSensor(self, handle):
        self.drawn[handle] = bytes(3 * self.size[0] * self.size[1])
        return [0]

    def getVisionSensorImg(self, handle):
        if self.drawn[handle] is None:
            raise ValueError("the sensor was not handled")
        return [self.drawn[handle], self.size]

    def removeObjects(self, handles):
        self.objects = {path: handle for path, handle in self.objects.items() if handle not in handles}
        return []


def answer(scene, request):
    """The reply to one request."""
    name, arguments = request["func"], request["args"]
    if name == "zmqRemoteApi.require":
        return {"ret": []}
    if name == "zmqRemoteApi.info":
        functions = {key: {"func": {}} for key in vars(Scene) if not key.startswith("_")}
        return {"ret": [functions | {key: {"const": value} for key, value in CONSTANTS.items()}]}
    try:
        return {"ret": getattr(scene, name.removeprefix("sim."))(*arguments)}
    except ValueError as error:
        return {"err": str(error)}


def main(port, version="41000"):
    """Answer for ever; as version 0 it never answers."""
    scene = Scene(int(version))
    with zmq.Context() as context, context.socket(zmq.REP) as server:
        server.bind(f"tcp://127.0.0.1:{port}")
        while True:
            request = cbor2.loads(server.recv())
            if not scene.version:
                time.sleep(600)
            server.send(cbor2.dumps(answer(scene, request)))


if __name__ == "__main__":
    main(*sys.argv[1:])
