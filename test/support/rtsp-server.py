"""An RTSP server of GStreamer for the tests of sources: a real camera's protocol with a picture that moves.

Prints its port once it serves. Mounts: /cam (H.264 and G.711), /open (the same without a password), /vp8 (a codec that RTMP
cannot carry).  usage: rtsp-server.py [basic|digest|none] [USER] [PASSWORD]
"""
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)
scheme, user, password = (sys.argv[1:] + ["none", "", ""])[:3] if len(sys.argv) > 1 else ("none", "", "")

VIDEO = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1"
H264 = VIDEO + " ! openh264enc gop-size=25 bitrate=300000 ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1"
AUDIO = " audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8"

server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
mounts = server.get_mount_points()


def mount(path, launch, role):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch("( " + launch + " )")
    factory.set_shared(True)
    if role is not None:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role(role, "media.factory.access", True)
        permissions.add_permission_for_role(role, "media.factory.construct", True)
        factory.set_permissions(permissions)
    mounts.add_factory(path, factory)


auth = GstRtspServer.RTSPAuth()
if scheme != "none":
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    if scheme == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    server.set_auth(auth)
role = None if scheme == "none" else "user"
mount("/cam", H264 + AUDIO, role)
mount("/vp8", VIDEO + " ! vp8enc deadline=1 ! rtpvp8pay name=pay0 pt=96", role)
server.attach(None)
print(server.get_bound_port(), flush=True)
loop = GLib.MainLoop()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
loop.run()
