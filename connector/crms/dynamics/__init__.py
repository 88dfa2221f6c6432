"""Microsoft Dynamics 365: contacts and appointments through the Dataverse Web API."""
