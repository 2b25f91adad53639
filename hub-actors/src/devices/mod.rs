//! Device keys that grants can name, and the certificates between them.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn register_device(
    _asked: &Asked,
    _request: wire::RegisterDeviceRequest,
) -> Result<wire::RegisterDeviceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_devices(
    _asked: &Asked,
    _request: wire::ListDevicesRequest,
) -> Result<wire::ListDevicesResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn forget_device(
    _asked: &Asked,
    _request: wire::ForgetDeviceRequest,
) -> Result<wire::ForgetDeviceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn publish_device_certificate(
    _asked: &Asked,
    _request: wire::PublishDeviceCertificateRequest,
) -> Result<wire::PublishDeviceCertificateResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
