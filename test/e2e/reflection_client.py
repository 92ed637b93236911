"""Drives a Postern server knowing nothing of it but its address.

Discovers the API through reflection, builds every message from the descriptors it was given, and
prints what it found as one JSON object.

Usage: reflection_client.py HOST:PORT SUBJECT RESOURCE:ACTION
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2  # noqa: F401 (for the status details)
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_reflection.v1alpha import reflection_pb2

SERVICE = "postern.v1.DecisionService"
TIMEOUT_SECONDS = 10


def dynamic_call(channel, pool, method_name, request):
    """Calls a method with a request in the proto's JSON mapping; answers in the same."""
    method = pool.FindServiceByName(SERVICE).FindMethodByName(method_name)
    request_class = message_factory.GetMessageClass(method.input_type)
    response_class = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{SERVICE}/{method_name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response_class.FromString,
    )
    message = json_format.ParseDict(request, request_class(), descriptor_pool=pool)
    response = call(message, timeout=TIMEOUT_SECONDS)
    return json_format.MessageToDict(
        response, preserving_proto_field_name=True, descriptor_pool=pool
    )


def failure(channel, pool, method_name, request):
    """The status of a call that is refused, with the fields named by its details."""
    try:
        dynamic_call(channel, pool, method_name, request)
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
        fields = []
        for detail in status_pb2.Status.FromString(details).details:
            bad_request = error_details_pb2.BadRequest()
            if detail.Unpack(bad_request):
                fields += [violation.field for violation in bad_request.field_violations]
        return {"code": error.code().name, "details": error.details(), "fields": fields}
    return {"code": "OK"}


def reflection_v1_services(channel):
    """The same question through reflection v1, whose messages are those of v1alpha."""
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    response = next(call(iter([request]), timeout=TIMEOUT_SECONDS))
    return [service.name for service in response.list_services_response.service]


def main(address, subject, permission):
    resource, action = permission.split(":")
    question = {
        "subject": {"id": subject},
        "action": {"name": action},
        "resource": {"type": resource, "properties": {"tags": ["a", None, 1.5, {"b": True}]}},
        "context": {"ip": "127.0.0.1"},
    }
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(database)
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(
            health_pb2.HealthCheckRequest(service=SERVICE), timeout=TIMEOUT_SECONDS
        )
        result = {
            "services": sorted(database.get_services()),
            "services_v1": sorted(reflection_v1_services(channel)),
            "methods": sorted(
                method.name for method in pool.FindServiceByName(SERVICE).methods
            ),
            "health": health_pb2.HealthCheckResponse.ServingStatus.Name(
                health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS).status
            ),
            "watch": health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status),
            "check": dynamic_call(channel, pool, "Check", question),
            "batch": dynamic_call(
                channel,
                pool,
                "CheckBatch",
                {"defaults": question, "items": [{}, {"resource": {"type": "*"}}]},
            ),
            "mfa": dynamic_call(channel, pool, "MfaRequired", {"check": question}),
            "permissions": dynamic_call(
                channel, pool, "GetPermissionSet", {"subject": {"id": subject}}
            ),
            "refused": failure(
                channel, pool, "Check", {**question, "action": {"name": "a:b"}}
            ),
        }
        watch.cancel()
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
