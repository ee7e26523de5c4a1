"""Every stranger's network that is measured: its file, what judges it, what calibrates it.

Files and their digests: the READMEs beside the weights.
"""

from __future__ import annotations

from benchmarks.foreign import aizoo, mobilefacenet, pfld, ultralight, xception, yunet
from benchmarks.foreign.aizoo import Aizoo
from benchmarks.foreign.network import Absent, Network, Trial
from benchmarks.foreign.picture import Run
from benchmarks.foreign.trials import (
    EMOTION,
    FACES,
    GENDER,
    LANDMARK_FACES,
    LANDMARKS,
    detection,
    frames,
    mask_states,
    never,
    verification,
    whole_pictures,
)
from benchmarks.foreign.ultralight import UltraLight
from benchmarks.foreign.yunet import YuNet

__all__ = ["ABSENT", "NETWORKS"]


def _yunet(name: str, file: str, digest: str, size: int, *, open_size: bool = False) -> Network:
    def build(run: Run) -> YuNet:
        return YuNet(run, (size, size), enlarge=not open_size)

    return Network(
        name=name,
        file=f"yunet/{file}.onnx",
        sha256=digest,
        licence="Apache-2.0 / MIT",
        picture=yunet.picture(size, size),
        trials=(detection(build),),
        feeds=(frames("detect_train", build(never).prepare),),
        open_size=open_size,
    )


def _ultralight(name: str, file: str, digest: str, *, decoded: bool, masked: bool) -> Network:
    size = (480, 640) if masked else (240, 320)
    threshold = ultralight.THRESHOLD_MASKED if masked else ultralight.THRESHOLD

    def build(run: Run) -> UltraLight:
        return UltraLight(run, size, decoded=decoded, threshold=threshold)

    prepare = build(never).prepare
    scenes, crops = frames("detect_train", prepare), frames("mask3", prepare)
    return Network(
        name=name,
        file=file,
        sha256=digest,
        licence="MIT",
        picture=ultralight.picture(*size),
        trials=(detection(build), mask_states(build)) if masked else (detection(build),),
        feeds=(scenes, crops) if masked else (scenes,),
    )


def _xception(name: str, file: str, digest: str, trial: Trial) -> Network:
    return Network(
        name=name,
        file=f"xception-oarriaga/{file}.hdf5",
        sha256=digest,
        licence="MIT",
        picture=xception.PICTURE,
        trials=(trial,),
        feeds=(whole_pictures(trial.pack),),
    )


#: In the order of the table.
NETWORKS = (
    Network(
        name="mobilefacenet",
        file="mobilefacenet-foamliu/MobileFaceNet.onnx",
        sha256="b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
        licence="Apache-2.0",
        picture=mobilefacenet.PICTURE,
        trials=verification(mobilefacenet.PICTURE),
        feeds=(FACES,),
    ),
    Network(
        name="mobilefacenet-int8-zye1996",
        file="mobilefacenet-int8-zye1996/inference_model_993_quant.tflite",
        sha256="fa77f06af74876b7a1b39403b093ee9c74c62f29a60005e13e445f74c06c445d",
        licence="unknown",
        picture=mobilefacenet.NARROW,
        trials=verification(mobilefacenet.NARROW),
        stays="its weights are INT8 already",
    ),
    Network(
        name="mobilefacenet-mask-int8-zye1996",
        file="mobilefacenet-int8-zye1996/mbfacenet_quant_with_mask.tflite",
        sha256="20e6556cd6fc7d7ace1c41f55c132af3a0dcfa508f408e963873291b5b0aa918",
        licence="unknown",
        picture=mobilefacenet.NARROW_BYTES,
        trials=verification(mobilefacenet.NARROW_BYTES),
        stays="it is INT8 already",
    ),
    _yunet(
        "yunet-n-320",
        "yunet_n_320_320",
        "81dbde155e982455488235acb8ec2dec5d647edf7cf7080d33e4abb69b93a0d2",
        320,
    ),
    _yunet(
        "yunet-n-640",
        "yunet_n_640_640",
        "25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31",
        640,
    ),
    _yunet(
        "yunet-n-dynamic",
        "yunet_n_dynamic",
        "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
        480,
        open_size=True,
    ),
    _yunet(
        "yunet-s-320",
        "yunet_s_320_320",
        "beb05bf2378aee45cd7c41056da07265b7bb91041ed1b06f923819a9c744ec36",
        320,
    ),
    _ultralight(
        "ultralight-rfb",
        "ultralight/version-RFB-320.onnx",
        "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
        decoded=True,
        masked=False,
    ),
    _ultralight(
        "ultralight-rfb-tflite",
        "ultralight/version-RFB-320_without_postprocessing.tflite",
        "2c46b4b60667d11b91adc14074e6196a1ef1d2dbdbabdc65b3bfa18f78de4866",
        decoded=False,
        masked=False,
    ),
    _ultralight(
        "ultralight-slim",
        "ultralight/version-slim-320_simplified.onnx",
        "0863d8fedffb8692c3fef345193c7befc9b513a66ac4ff87bdecf47452fa272f",
        decoded=False,
        masked=False,
    ),
    _ultralight(
        "ultralight-masked",
        "ultralight-masked/RFB-640-masked_face-v2.onnx",
        "27ca3e5985f722e91efea7993f625716de627303c4bafb40bb26f456286beca8",
        decoded=True,
        masked=True,
    ),
    Network(
        name="aizoo",
        file="aizoo-facemask/face_mask_detection.tflite",
        sha256="d2347acf155858681619bc009368f730288aa0447d2c97209be4a26d9be4e928",
        licence="MIT",
        picture=aizoo.PICTURE,
        trials=(detection(Aizoo), mask_states(Aizoo)),
        feeds=tuple(frames(pack, Aizoo(never).prepare) for pack in ("detect_train", "mask3")),
    ),
    Network(
        name="pfld",
        file="pfld-cunjian/pfld.onnx",
        sha256="7d7bbd5c6a1d9272e58d9773898284a1905d872eba9a662df9b5f20f1ba6f83e",
        licence="unknown",
        picture=pfld.PICTURE,
        trials=(LANDMARKS,),
        feeds=(LANDMARK_FACES,),
    ),
    _xception(
        "mini-xception",
        "fer2013_mini_XCEPTION.102-0.66",
        "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
        EMOTION,
    ),
    _xception(
        "big-xception",
        "fer2013_big_XCEPTION.54-0.66",
        "2c7ed52bc381077b5099afdfa392efb754516db91575f3f8ea120e81bc55db37",
        EMOTION,
    ),
    _xception(
        "gender-xception",
        "gender_mini_XCEPTION.21-0.95",
        "7affc7bd520c48ca908eada26988d0e17fdfa1d447d8ae5675395f05ca6f943b",
        GENDER,
    ),
)

_TOO_LARGE = "not to be had: files over about 4 MiB are missing in the public copies at hand"

#: What the weights' README says was looked for in vain.
ABSENT = (
    Absent("w600k-mbf", "InsightFace's MobileFaceNet, ONNX", _TOO_LARGE),
    Absent("mobilefacenet-5mb", "a float MobileFaceNet, TFLite", _TOO_LARGE),
    Absent("mask-detector-chandrikadeb7", "MobileNetV2 mask classifier, Keras", _TOO_LARGE),
    Absent("aizoo-keras", "AIZOO's mask SSD, Keras HDF5", _TOO_LARGE),
)
