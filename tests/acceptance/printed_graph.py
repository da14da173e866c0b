"""Dagster definitions as a page of text that a person can check by reading."""

from collections.abc import Iterator

import dagster as dg


def printed(defs: dg.Definitions) -> str:
    """Print every asset with its ops, then every job, schedule and sensor."""
    return "\n".join([*_assets(defs), *_jobs(defs), *_schedules(defs), *_sensors(defs)]) + "\n"


def _assets(defs: dg.Definitions) -> Iterator[str]:
    for spec in sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key):
        yield f"asset {_name(spec.key)}"
        yield f"  group {spec.group_name}, kinds {', '.join(sorted(spec.kinds))}"
        yield from (f"  after {_name(dep.asset_key)}" for dep in sorted(spec.deps, key=lambda dep: dep.asset_key))
        yield from _ops(defs, spec.key)
        yield from (f"  check {key.name}" for key in sorted(_checks(defs)) if key.asset_key == spec.key)


def _ops(defs: dg.Definitions, key: dg.AssetKey) -> Iterator[str]:
    asset = defs.resolve_assets_def(key)
    if not asset.is_executable:
        yield "  nothing to run"
        return
    node = asset.node_def
    ops = list(node.iterate_op_defs())
    before: dict[str, list[str]] = {}
    if isinstance(node, dg.GraphDefinition):
        before = {
            invocation.name: [dep.node for found in inputs.values() for dep in found.get_node_dependencies()]
            for invocation, inputs in node.dependencies.items()
        }
    for op in ops:
        after = f" after {', '.join(before[op.name])}" if before.get(op.name) else ""
        yield f"  op {op.name}{after}: {_retries(op.retry_policy)}"


def _retries(policy: dg.RetryPolicy | None) -> str:
    if policy is None:
        return "no retries"
    backoff = policy.backoff.name.lower() if policy.backoff else "no"
    return f"{policy.max_retries} retries, {policy.delay:g} s, {backoff} backoff"


def _jobs(defs: dg.Definitions) -> Iterator[str]:
    for job in sorted(defs.resolve_all_job_defs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            yield f"job {job.name}"
            yield f"  tags {', '.join(f'{name}={value}' for name, value in sorted(job.tags.items())) or '-'}"
            yield from (f"  {_name(key)}" for key in sorted(job.asset_layer.selected_asset_keys))


def _schedules(defs: dg.Definitions) -> Iterator[str]:
    for schedule in sorted(defs.get_repository_def().schedule_defs, key=lambda schedule: schedule.name):
        yield f"schedule {schedule.name}: {schedule.cron_schedule} {schedule.execution_timezone}"
        yield f"  starts {schedule.job_name}, {schedule.default_status.name.lower()}"


def _sensors(defs: dg.Definitions) -> Iterator[str]:
    for sensor in sorted(defs.get_repository_def().sensor_defs, key=lambda sensor: sensor.name):
        yield f"sensor {sensor.name}: every {sensor.minimum_interval_seconds} s"
        jobs = ", ".join(sorted(target.job_name for target in sensor.targets))
        yield f"  starts {jobs}, {sensor.default_status.name.lower()}"


def _checks(defs: dg.Definitions) -> set[dg.AssetCheckKey]:
    return set(defs.resolve_asset_graph().asset_check_keys)


def _name(key: dg.AssetKey) -> str:
    return key.to_user_string()
