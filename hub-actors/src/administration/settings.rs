//! What an admin sets while the Hub runs.

use schema::wire;

use crate::{
    asked::Asked,
    error::Refusal,
    store::{audit::Object, settings},
};

pub(crate) async fn get_settings(
    asked: &Asked,
    _: wire::GetSettingsRequest,
) -> Result<wire::HubSettings, Refusal> {
    let configured = asked.state.config.sign_up;
    let store = &asked.state.store;
    let sign_up_open = store.run(move |conn| settings::sign_up(conn, configured));
    Ok(wire::HubSettings {
        sign_up_open: sign_up_open.await?,
    })
}

pub(crate) async fn update_settings(
    asked: &Asked,
    request: wire::UpdateSettingsRequest,
) -> Result<wire::HubSettings, Refusal> {
    let (open, configured) = (request.sign_up_open, asked.state.config.sign_up);
    let set = asked.state.order(asked.author(), move |conn, notes| {
        if settings::sign_up(conn, configured)? != open {
            let value = if open { "true" } else { "false" };
            settings::set(conn, settings::SIGN_UP, value)?;
            let detail = if open { "open" } else { "closed" };
            notes.audit_in(
                None,
                "setting.changed",
                Object::Setting,
                settings::SIGN_UP,
                detail,
            );
        }
        Ok(Ok(()))
    });
    set.await?;
    Ok(wire::HubSettings { sign_up_open: open })
}
